// zone label set, get, clear, trees: labels of the host's own folders and files.
#include <fcntl.h>

#include "base/files.h"
#include "base/strings.h"
#include "cli/handlers.h"
#include "cli/table.h"

namespace cli {
namespace {

using nlohmann::json;

// The folder or file itself goes to zoned, not its name.
base::Result<json> call_on(const Context& context, const char* method, const std::string& path,
                           json parameters) {
  TRY_AS(base::UniqueFd object, base::open_at(AT_FDCWD, path, O_PATH | O_NOFOLLOW));
  parameters["path"] = path;
  TRY_AS(api::Client client, context.connect());
  TRY_AS(api::Reply reply, client.call(method, std::move(parameters), {object.get()}));
  if (context.json) print_json(reply.parameters);
  return std::move(reply.parameters);
}

}  // namespace

base::Result<int> label_set(const Context& context, const Arguments& arguments) {
  TRY_AS(json reply,
         call_on(context, "LabelSet", arguments.words[0], {{"label", arguments.words[1]}}));
  return 0;
}

base::Result<int> label_clear(const Context& context, const Arguments& arguments) {
  TRY_AS(json reply, call_on(context, "LabelClear", arguments.words[0], json::object()));
  return 0;
}

base::Result<int> label_get(const Context& context, const Arguments& arguments) {
  TRY_AS(json reply, call_on(context, "LabelGet", arguments.words[0], json::object()));
  if (context.json) return 0;
  std::string tree = text_of(reply, "tree");
  print(shown(text_of(reply, "label")) + "\n");
  if (tree.empty()) note(context, "no label has been set; this is what counts");
  return 0;
}

base::Result<int> label_trees(const Context& context, const Arguments&) {
  TRY_AS(json reply, call(context, "LabelTrees", json::object()));
  json trees = reply.value("trees", json::array());
  if (context.json) {
    print_json(trees);
    return 0;
  }
  Table table({{"LABEL"}, {"TREE"}});
  for (const json& tree : trees)
    table.add({shown(text_of(tree, "label")), shown(text_of(tree, "path"))});
  print(table.text());
  return 0;
}

}  // namespace cli
