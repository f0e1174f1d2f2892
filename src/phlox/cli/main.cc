// The `phlox` command.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <string>
#include <vector>

#include "phlox/base/error.h"
#include "phlox/base/version.h"
#include "phlox/cli/pages.h"

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
}
