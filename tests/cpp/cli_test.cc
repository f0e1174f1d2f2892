#include "phlox/cli/pages.h"

#include <gtest/gtest.h>

#include "phlox/base/error.h"
#include "phlox/ops/registry/operation.h"

namespace {

bool contains(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

TEST(CommandPagesTest, EveryOperationHasAPageThatNamesItsDefinition) {
  for (const phlox::Operation* operation : phlox::operations()) {
    const std::string page = phlox::cli::explain_operation(operation->name);
    EXPECT_TRUE(page.starts_with(operation->name)) << page;
    EXPECT_TRUE(contains(page, operation->doc())) << page;
    EXPECT_TRUE(contains(page, "gradient")) << page;
  }
}

TEST(CommandPagesTest, ATanhSavesOnlyItsResultForTheGradient) {
  EXPECT_TRUE(contains(phlox::cli::explain_operation("tanh"), "input: derived, saves the result\n"))
      << phlox::cli::explain_operation("tanh");
}

TEST(CommandPagesTest, APageSaysHowPythonCallsTheOperation) {
  const std::string page = phlox::cli::explain_operation("gelu");
  EXPECT_TRUE(contains(page, "gelu(input, approximate=")) << page;
}

TEST(CommandPagesTest, AnUnknownNameIsAnErrorThatNamesTheClosest) {
  try {
    phlox::cli::explain_operation("sigmod");
    FAIL() << "no error";
  } catch (const phlox::ValueError& error) {
    EXPECT_TRUE(contains(error.what(), "sigmoid")) << error.what();
  }
}

TEST(CommandPagesTest, HelpFindsErrorsByAnyWordsOfTheirTitle) {
  const std::string found = phlox::cli::search_help("Broadcast shapes");
  EXPECT_TRUE(contains(found, "E0201")) << found;
  EXPECT_TRUE(contains(phlox::cli::search_help("NUM_THREADS"), "how many threads compute"));
  EXPECT_TRUE(contains(phlox::cli::search_help("doctor"), "phlox doctor"));
  EXPECT_TRUE(contains(phlox::cli::search_help("qqq"), "nothing has all of the words"));
}

TEST(CommandPagesTest, EveryErrorHasAPageOfItsTitle) {
  ASSERT_EQ(phlox::cli::error_pages().size(), phlox::error_catalog().size());
  for (const phlox::ErrorEntry& entry : phlox::error_catalog()) {
    const std::string code = fmt::format("E{:04}", static_cast<int>(entry.code));
    const std::string page = phlox::cli::explain_error(code);
    EXPECT_TRUE(page.starts_with(fmt::format("# {}: {}\n", code, entry.title))) << page;
    EXPECT_TRUE(contains(page, "\n## An example\n") && contains(page, "\n## The cure\n")) << page;
    EXPECT_EQ(phlox::cli::search_help(code), page);
  }
  EXPECT_EQ(phlox::cli::explain_error("e203"), phlox::cli::explain_error("E0203"));
  EXPECT_THROW(phlox::cli::explain_error("E0999"), phlox::ValueError);
  EXPECT_THROW(phlox::cli::search_help("E9999"), phlox::ValueError);
}

TEST(CommandPagesTest, TheDoctorFindsThisBuildWell) {
  EXPECT_TRUE(contains(phlox::cli::diagnose(), "all is well")) << phlox::cli::diagnose();
}

}  // namespace
