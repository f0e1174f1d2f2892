#include "phlox/io/checkpoint.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>

#include "error_matching.h"
#include "temporary_folder.h"

namespace phlox {
namespace {

Tensor vector_of(std::initializer_list<float> values) {
  return from_values<float>(std::span(values.begin(), values.size()),
                            {static_cast<std::int64_t>(values.size())});
}

Checkpoint sample(std::int64_t step) {
  Checkpoint checkpoint;
  checkpoint.step = step;
  checkpoint["model"] = {{"conv.weight", vector_of({1, 2})}, {"a/b", vector_of({3})}};
  checkpoint["optimizer"].set_number("param_groups.0.lr", 0.125);
  checkpoint["nothing"];
  checkpoint.metadata["note"] = "first try";
  return checkpoint;
}

TEST(CheckpointTest, GivesBackWhatWasSaved) {
  TemporaryFolder folder;
  const auto path = save_checkpoint(folder / "runs/a", sample(12));
  EXPECT_EQ(path.filename(), "checkpoint-00000012.safetensors");
  const Checkpoint loaded = load_checkpoint(path);
  EXPECT_EQ(loaded.step, 12);
  EXPECT_EQ(loaded.parts.size(), 3u);
  EXPECT_TRUE(loaded.part("nothing").empty());
  EXPECT_EQ(loaded.part("model").at("conv.weight").to_vector<float>(), (std::vector<float>{1, 2}));
  EXPECT_EQ(loaded.part("model").at("a/b").item<float>(), 3);
  EXPECT_EQ(loaded.part("optimizer").number("param_groups.0.lr"), 0.125);
  EXPECT_EQ(loaded.metadata, (Metadata{{"note", "first try"}}));
  EXPECT_ERROR(loaded.part("modle"), StateError, "model, nothing, optimizer");
}

TEST(CheckpointTest, KeepsTheNewest) {
  TemporaryFolder folder;
  for (int step = 1; step <= 5; ++step) save_checkpoint(folder.path(), sample(step), {.keep = 2});
  const auto files = list_checkpoints(folder.path());
  ASSERT_EQ(files.size(), 2u);
  EXPECT_EQ(load_checkpoint(files[0]).step, 4);
  EXPECT_EQ(load_checkpoint(files[1]).step, 5);
  save_checkpoint(folder.path(), sample(3), {.keep = 1});  // a run that began anew keeps what it just wrote
  ASSERT_EQ(list_checkpoints(folder.path()).size(), 1u);
  EXPECT_EQ(load_latest_checkpoint(folder.path())->step, 3);
  for (int step = 6; step <= 9; ++step) save_checkpoint(folder.path(), sample(step), {.keep = 0});
  EXPECT_EQ(list_checkpoints(folder.path()).size(), 5u);
}

TEST(CheckpointTest, IsWholeWhenTheProcessIsKilledWhileSaving) {
  TemporaryFolder folder;
  std::int64_t reached = 0;
  for (int round = 0; round < 5; ++round) {
    save_checkpoint(folder.path(), sample(0), {.keep = 1});
    const pid_t child = fork();
    if (child == 0) {
      for (std::int64_t step = 1;; ++step) save_checkpoint(folder.path(), sample(step), {.keep = 2});
    }
    // On a busy machine the first file may take its time; then somewhere within one of the next.
    for (int wait = 0; wait < 20000 && list_checkpoints(folder.path()).size() < 2; ++wait) usleep(500);
    usleep(static_cast<useconds_t>(700 * round));
    kill(child, SIGKILL);
    int status = 0;
    waitpid(child, &status, 0);
    const auto found = load_latest_checkpoint(folder.path());
    ASSERT_TRUE(found.has_value());
    EXPECT_EQ(found->part("model").at("conv.weight").to_vector<float>(), (std::vector<float>{1, 2}));
    reached = std::max(reached, found->step);
  }
  EXPECT_GT(reached, 0);
}

TEST(CheckpointTest, PassesOverADamagedFile) {
  TemporaryFolder folder;
  EXPECT_FALSE(load_latest_checkpoint(folder / "absent").has_value());
  save_checkpoint(folder.path(), sample(1));
  const auto newest = save_checkpoint(folder.path(), sample(2));
  auto bytes = read_bytes(newest);
  bytes.resize(bytes.size() - 3);
  write_bytes(newest, bytes);
  EXPECT_EQ(load_latest_checkpoint(folder.path())->step, 1);
  // A name that leads nowhere cannot be opened.
  std::filesystem::create_symlink(folder / "nowhere", folder / "checkpoint-00000003.safetensors");
  EXPECT_EQ(load_latest_checkpoint(folder.path())->step, 1);
}

TEST(CheckpointTest, SaysWhenNothingCanBeRead) {
  TemporaryFolder folder;
  EXPECT_FALSE(load_latest_checkpoint(folder.path()).has_value());
  for (const char* name : {"checkpoint-00000001.safetensors", "checkpoint-00000002.safetensors"}) {
    write_text(folder / name, "damaged");
  }
  EXPECT_ERROR(load_latest_checkpoint(folder.path()), FileError, "checkpoint-00000002.safetensors: ");
  // A file where the folder should be.
  write_text(folder / "file", "");
  EXPECT_ERROR(load_latest_checkpoint(folder / "file"), FileError, "cannot read the folder");
  EXPECT_ERROR(list_checkpoints(folder / "file"), FileError, "cannot read the folder");
}

TEST(CheckpointTest, RefusesFilesThatAreNone) {
  TemporaryFolder folder;
  save_safetensors(folder / "a.safetensors", {{"model/x", vector_of({1})}});
  EXPECT_ERROR(load_checkpoint(folder / "a.safetensors"), FormatError, "no checkpoint");
  const Metadata metadata{{"phlox.checkpoint", "1"}, {"phlox.step", "3"}, {"phlox.part.model", "1"}};
  save_safetensors(folder / "a.safetensors", {{"model/x", vector_of({1})}}, metadata);
  EXPECT_EQ(load_checkpoint(folder / "a.safetensors").step, 3);
  save_safetensors(folder / "a.safetensors", {{"other/x", vector_of({1})}}, metadata);
  EXPECT_ERROR(load_checkpoint(folder / "a.safetensors"), FormatError, "belongs to no part");
  save_safetensors(folder / "a.safetensors", {}, metadata);
  EXPECT_ERROR(load_checkpoint(folder / "a.safetensors"), FormatError, "has not the 1 tensors");
  EXPECT_ERROR(save_checkpoint(folder.path(), {.step = 1, .parts = {{"a/b", {}}}, .metadata = {}}),
               ValueError, "a/b");
}

TEST(CheckpointTest, KeepsRandomState) {
  Generator generator(17);
  generator.reserve(5);
  const StateDict state = random_state(generator);
  Generator other(1);
  set_random_state(state, other);
  EXPECT_EQ(other.state(), generator.state());
  EXPECT_THROW(set_random_state({}, other), StateError);
}

}  // namespace
}  // namespace phlox
