# SPDX-License-Identifier: Apache-2.0
"""Encoders of texts for LiteRT. onnx2tf takes their axes for those of images and what it makes
answers wrongly, so that here each operator is TensorFlow's of the same meaning, for one number of
tokens; longer texts are cut."""
# pylint: disable=import-outside-toplevel  # each environment has some of these packages only
from peers_onnx import read_samples

TOKENS = 64
ERF = (0.254829592, -0.284496736, 1.421413741, -1.453152027, 1.061405429)
ERF_SLOPE = 0.3275911  # Abramowitz and Stegun 7.1.26, to 1.5e-7: LiteRT has no kernel


def erf(x):
    """By the kernels that there are."""
    import tensorflow as tf
    size = tf.abs(x)
    t = 1 / (1 + ERF_SLOPE * size)
    total = 0.0
    for factor in reversed(ERF):
        total = (total + factor) * t
    return tf.sign(x) * (1 - total * tf.exp(-size * size))


def operators():
    """Operator -> function of its inputs and attributes."""
    import numpy
    import tensorflow as tf
    return {
        "Add": lambda a, b: a + b, "Sub": lambda a, b: a - b, "Mul": lambda a, b: a * b,
        "Div": lambda a, b: a / b, "Pow": lambda a, b: a ** b,
        "MatMul": tf.matmul, "Sqrt": tf.sqrt, "Tanh": tf.tanh, "Erf": erf,
        "Softmax": lambda x, axis=-1: tf.nn.softmax(x, axis),
        "Cast": lambda x, to: tf.cast(x, tf.float32 if to == 1 else tf.int64),
        "Gather": lambda x, at, axis=0: tf.gather(x, at, axis=axis),
        "Reshape": lambda x, shape, allowzero=0: tf.reshape(
            x, [x.shape[at] if size == 0 else int(size) for at, size in enumerate(shape)]),
        "Transpose": lambda x, perm: tf.transpose(x, perm),
        "Unsqueeze": lambda x, axes: tf.reshape(x, numpy.expand_dims(
            numpy.empty(x.shape, numpy.int8), tuple(int(axis) for axis in axes)).shape),
        "ReduceMean": lambda x, axes, keepdims=1: tf.reduce_mean(x, axes, bool(keepdims)),
        "Gemm": lambda a, b, c, alpha=1.0, beta=1.0, transB=0, transA=0: tf.matmul(
            a, b, bool(transA), bool(transB)) * alpha + c * beta,
    }


def translate(graph):
    """A function of the inputs that computes the outputs."""
    import onnx
    known = operators()
    constants = {item.name: onnx.numpy_helper.to_array(item) for item in graph.initializer}

    def run(**inputs):
        values = {**constants, **inputs}
        for node in graph.node:
            given = [values[name] for name in node.input]
            words = {item.name: onnx.helper.get_attribute_value(item) for item in node.attribute}
            if node.op_type == "Constant":
                values[node.output[0]] = onnx.numpy_helper.to_array(words["value"])
            else:
                values[node.output[0]] = known[node.op_type](*given, **words)
        return [values[port.name] for port in graph.output]
    return run


def litert(model, output, samples, form):
    """LiteRT's converter: 8-bit weights, ranges of activations found at run time or, as
    integer_quant, from samples."""
    import numpy
    import onnx
    import onnxsim
    import tensorflow as tf
    items = [{name: numpy.resize(value, (1, TOKENS)) for name, value in item.items()}
             for item in read_samples(samples)]
    given, _ = onnxsim.simplify(onnx.load(model), overwrite_input_shapes={
        name: [1, TOKENS] for name in items[0]})
    module = tf.Module()
    shapes = {name: tf.TensorSpec((1, TOKENS), tf.int64, name=name) for name in items[0]}
    module.run = tf.function(translate(given.graph))
    converter = tf.lite.TFLiteConverter.from_concrete_functions(
        [module.run.get_concrete_function(**shapes)], module)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if form == "integer_quant":
        ports = sorted(items[0])  # as the converter orders them
        converter.representative_dataset = lambda: ([item[name] for name in ports]
                                                    for item in items)
    output.write_bytes(converter.convert())
