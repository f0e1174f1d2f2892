// Event files of TensorBoard, written without TensorFlow and without protobuf.
// Source: the messages Event, GraphDef, NodeDef and AttrValue of TensorFlow (tensorflow/core/framework, core/util), in the
// framing of TFRecord.
//
//   save_tensorboard_graph("logs", *captured.graph);        // then: tensorboard --logdir logs
#pragma once

#include <filesystem>

#include "phlox/graph/graph.h"

namespace phlox {

// Writes the graph to a new event file in the folder, which is made if it is not there; the file's path. Nodes stand in the
// scopes of the modules that they come from, inputs in "inputs", the regions of branches and loops in scopes of their own.
// Throws FileError [E0805].
std::filesystem::path save_tensorboard_graph(const std::filesystem::path& folder, const graph::Graph& graph);

}  // namespace phlox
