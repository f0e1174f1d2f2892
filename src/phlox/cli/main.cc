// The `phlox` command.
#include <CLI/CLI.hpp>
#include <cstdint>
#include <cstdio>
#include <string>
#include <vector>

#include "phlox/base/error.h"
#include "phlox/base/version.h"
#include "phlox/cli/graph_pages.h"
#include "phlox/cli/pages.h"
#include "phlox/graph/compare.h"
#include "phlox/graph/plan.h"
#include "phlox/io/tensorboard.h"

namespace {

// `--args` and the like, which the Python package takes out of the words where a function is named.
void add_option_of_functions(CLI::App& command, const char* name, const char* about) {
  command.add_option_function<std::string>(
      name,
      [name](const std::string&) {
        throw CLI::ValidationError(name, "is for functions of Python programs, module:function");
      },
      about);
}
constexpr const char* about_args = "what module:function is called with, such as \"f32[32,64], i64[32]\"";

// Adds `phlox graph ...`. Differences end with 1, as `diff` does.
void add_graph_commands(CLI::App& app, std::string& page, int& status) {
  // The options live as long as the program.
  static struct {
    std::string file, other, inputs, folder;
    std::vector<std::string> passes;
    bool locations = false, dot = false;
    double tolerance = 0;
    std::uint64_t seed = 0;
  } o;
  const char* const about_files = "a file with the text of a graph; or module:function of a Python program";
  CLI::App* graph = app.add_subcommand("graph", "graphs of captured functions: print, diff, bisect");
  graph->require_subcommand(0, 1);
  graph->callback([=, &page] {
    if (graph->get_subcommands().empty()) page = graph->help();
  });

  CLI::App* print = graph->add_subcommand("print", "the text of a graph, or its picture");
  print->add_option("graph", o.file, about_files)->required();
  add_option_of_functions(*print, "--args", about_args);
  print->add_flag("--locations", o.locations, "where in the program each line comes from");
  CLI::Option* dot = print->add_flag("--dot", o.dot, "a picture in the language of Graphviz");
  CLI::Option* passes =
      print->add_option("--passes", o.passes, "after each of these passes; the usual ones if none");
  passes->expected(0, -1)->excludes(dot);
  print->add_option("--tensorboard", o.folder, "writes an event file for TensorBoard into this folder")
      ->excludes(dot)
      ->excludes(passes);
  print->callback([=, &page] {
    std::erase(o.passes, "");  // of the option without names
    const phlox::cli::GraphFile loaded = phlox::cli::load_graph(o.file);
    if (!o.folder.empty()) page = phlox::save_tensorboard_graph(o.folder, *loaded.graph).string() + "\n";
    else
      page = passes->count()
                 ? phlox::cli::print_passes(loaded.graph, o.passes, o.locations)
                 : phlox::cli::print_graph(*loaded.graph, {.locations = o.locations, .dot = o.dot});
  });

  CLI::App* diff = graph->add_subcommand("diff", "what differs in two graphs, whatever their numbers");
  diff->add_option("first", o.file, about_files)->required();
  diff->add_option("second", o.other, about_files)->required();
  add_option_of_functions(*diff, "--args", about_args);
  diff->callback([&page, &status] {
    page = phlox::graph::diff(*phlox::cli::load_graph(o.file).graph, *phlox::cli::load_graph(o.other).graph);
    status = page.starts_with("the graphs are equal") ? 0 : 1;
  });

  CLI::App* bisect = graph->add_subcommand(
      "bisect",
      "the first pass or node where results differ: run as a plan, after passes, or in another graph");
  bisect->add_option("first", o.file, about_files)->required();
  bisect->add_option("second", o.other, "another graph with the same inputs");
  add_option_of_functions(*bisect, "--args", about_args);
  bisect->add_option("--inputs", o.inputs, "safetensors with the inputs by name; otherwise random numbers");
  bisect->add_option("--seed", o.seed, "of the random numbers");
  bisect->add_option("--tolerance", o.tolerance, "errors up to this are none; 0 compares bits");
  bisect->add_option("--passes", o.passes, "in place of the usual ones")->expected(1, -1);
  bisect->callback([&page, &status] {
    const phlox::cli::GraphFile loaded = phlox::cli::load_graph(o.file, o.inputs, o.seed);
    if (o.other.empty()) {
      page = phlox::cli::bisect_graph(loaded, o.passes, o.tolerance);
    } else if (const auto found = phlox::graph::first_difference(
                   *loaded.graph, *phlox::cli::load_graph(o.other).graph, loaded.inputs, o.tolerance)) {
      page = found->text;
    }
    status = page.empty() ? 0 : 1;
    if (page.empty()) page = "no difference\n";
  });
}

// `phlox plan`: of the text of a graph. Functions of Python programs are planned by the Python package.
void add_plan_command(CLI::App& app, std::string& page) {
  static std::string file;
  CLI::App* plan = app.add_subcommand("plan", "the memory that a graph takes, before it runs");
  plan->add_option("graph", file, "a file with the text of a graph; or module:function of a Python program")
      ->required();
  add_option_of_functions(*plan, "--args", about_args);
  add_option_of_functions(*plan, "--limit",
                          "adds the largest batch of module:function that fits, into \"2GB\"");
  plan->callback([&page] {
    const phlox::cli::GraphFile loaded = phlox::cli::load_graph(file);
    page = to_string(
        phlox::graph::Plan(loaded.graph, loaded.inputs, {}, phlox::graph::Plan::Kind::memory).memory());
  });
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{"Phlox: deep learning, eager to write, static to run"};
  app.name("phlox");
  app.set_version_flag("--version", PHLOX_VERSION);
  app.require_subcommand(0, 1);
  app.footer("Try `phlox op explain gelu`, `phlox help broadcast` or `phlox doctor`.");

  std::string page, name;
  std::vector<std::string> words;
  auto joined = [&] {
    std::string text;
    for (const std::string& word : words) text += (text.empty() ? "" : " ") + word;
    return text;
  };

  CLI::App* operation = app.add_subcommand("op", "operations: what there is, and all about one");
  operation->require_subcommand(0, 1);
  CLI::App* explain = operation->add_subcommand("explain", "all that is known about an operation");
  explain->add_option("name", name, "such as gelu")->required();
  explain->callback([&] { page = phlox::cli::explain_operation(name); });
  CLI::App* list = operation->add_subcommand("list", "the operations, or those that have all of some words");
  list->add_option("words", words);
  list->callback([&] { page = phlox::cli::list_operations(joined()); });

  std::string overview;  // of all commands
  CLI::App* help =
      app.add_subcommand("help", "an error's page (phlox help E0203), or a search (phlox help broadcast)");
  help->add_option("words", words);
  help->callback([&] {
    page = words.empty() ? overview + "\nTOPICS:\n" + phlox::cli::list_topics()
                         : phlox::cli::search_help(joined());
  });

  app.add_subcommand("doctor", "what Phlox runs on, and what is wrong with it")->callback([&] {
    page = phlox::cli::diagnose();
  });

  int status = 0;
  add_graph_commands(app, page, status);
  add_plan_command(app, page);

  overview = app.help();
  try {
    app.parse(argc, argv);
    // Without a command: what there is, in place of an error.
    if (app.get_subcommands().empty()) page = overview;
    else if (operation->parsed() && operation->get_subcommands().empty()) page = operation->help();
  } catch (const CLI::ExtrasError&) {
    const std::vector<std::string> unknown = app.remaining(true);
    std::fprintf(stderr, "phlox: \"%s\" is not understood here\n\n%s",
                 unknown.empty() ? "" : unknown[0].c_str(), overview.c_str());
    return 2;
  } catch (const CLI::ParseError& error) {
    return app.exit(error);
  } catch (const phlox::Error& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
  std::fputs(page.c_str(), stdout);
  return status;
}
