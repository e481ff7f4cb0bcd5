// SPDX-License-Identifier: Apache-2.0
#include <array>

#include "cli/command.h"

namespace wattwise::cli {
namespace {

constexpr std::array kCommands = {
    CommandRow{"prepare", "optimize, quantize, verify and package a model", declare_prepare},
    CommandRow{"optimize", "the exact passes alone: rewrite, verify and write", declare_optimize},
    CommandRow{"load", "load a model and show its inputs, outputs and cost", declare_load},
    CommandRow{"inference", "run a model on an array, text, image or sound", declare_inference},
    CommandRow{"run", "the same as inference", declare_inference},
    CommandRow{"status", "what was prepared and run, and the state of this device", declare_status},
    CommandRow{"report", "what the models cost, as json, markdown or html", declare_report},
    CommandRow{"inspect", "a model's operators, parameters, MACs and bytes", declare_inspect},
    CommandRow{"compare", "two models on the same inputs: outputs and CPU time", declare_compare},
    CommandRow{"config", "every setting with the layer it came from", declare_config},
    CommandRow{"doctor", "what this machine can measure and run, and what is missing",
               declare_doctor},
};

}  // namespace

std::span<const CommandRow> command_table() { return kCommands; }

}  // namespace wattwise::cli
