# SPDX-License-Identifier: Apache-2.0
"""answers.py MODEL INPUTS.npz OUTPUTS.npz [exact]: runs the model once on one thread. `exact`: the
runtime's kernels for AVX2 that never saturate."""
import sys

import numpy
import onnxruntime

model, inputs, outputs = sys.argv[1:4]
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = 1
options.log_severity_level = 3
if "exact" in sys.argv[4:]:
    options.add_session_config_entry("session.x64quantprecision", "1")
session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
values = session.run(None, dict(numpy.load(inputs)))
numpy.savez(outputs, **{f"output_{at}": value for at, value in enumerate(values)})
