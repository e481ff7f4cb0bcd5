// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace wattwise::cli {

/// The whole program: parses the words, runs the command, prints its result on stdout and anything
/// else on stderr, and returns the exit code.
int run(int argc, char** argv);

}  // namespace wattwise::cli
