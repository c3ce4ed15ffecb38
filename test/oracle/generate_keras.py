#!/usr/bin/env python3
"""What Keras says of layers and functions that keras_layers does not cover: recurrent and wrapped layers, attention,
augmentations, functions between layers, models called for every step. Writes data/keras/others.jsonl.gz.

Needs keras 3 with any backend; made with Keras 3.15 on JAX. Usage: generate_keras.py OUTPUT
"""

import gzip
import json
import sys

import keras
from keras import layers as L
from keras import ops

NOISE = ("_initializer", "_regularizer", "_constraint", "dtype", "build_config", "registered_name", "activity_regularizer")
RECORDS = []


def pruned(tree):
    if isinstance(tree, dict):
        return {key: pruned(value) for key, value in tree.items() if not key.endswith(NOISE)}
    return [pruned(item) for item in tree] if isinstance(tree, list) else tree


def record(name, inputs, outputs):
    model = keras.Model(inputs, outputs)
    layers = []
    for layer in model.layers:
        given = layer.output if isinstance(layer.output, (list, tuple)) else [layer.output]
        shapes = [list(tensor.shape) for tensor in given]
        layers.append({"name": layer.name, "cls": type(layer).__name__, "outputs": shapes, "params": layer.count_params()})
    RECORDS.append({"id": name, "model": pruned(json.loads(model.to_json())), "layers": layers})


def chain(name, shape, *layers, dtype=None):
    inputs = keras.Input(shape, dtype=dtype)
    outputs = inputs
    for layer in layers:
        outputs = layer(outputs)
    record(name, inputs, outputs)


IMAGE = (32, 32, 3)
KEEPING = (
    "RandomFlip() RandomContrast(0.1) RandomBrightness(0.1) RandomZoom(0.1) RandomRotation(0.1) RandomGrayscale() RandomHue(0.1) "
    "RandomInvert() RandomSaturation(0.1) RandomSharpness(0.1) RandomPosterization(4) Solarization() AutoContrast() AugMix() "
    "RandAugment() RandomColorJitter() RandomErasing() RandomGaussianBlur() RandomPerspective() MixUp() CutMix() RandomCrop(20,24) "
    "AdaptiveAveragePooling2D(4) AdaptiveMaxPooling2D((3,4)) RMSNormalization() SpectralNormalization(L.Conv2D(4,3))"
).split()
SEQUENCES = (
    "LSTM(5) LSTM(5,return_sequences=True) GRU(5,reset_after=False) GRU(5) SimpleRNN(5,use_bias=False) Bidirectional(L.LSTM(5)) "
    'Bidirectional(L.GRU(5,return_sequences=True),merge_mode="sum") RNN(L.LSTMCell(6)) '
    "RNN([L.LSTMCell(6),L.GRUCell(7)],return_sequences=True) RNN(L.StackedRNNCells([L.SimpleRNNCell(6),L.GRUCell(3)])) "
    "TimeDistributed(L.Dense(4)) AdaptiveAveragePooling1D(4)"
).split()
VIDEOS = (
    'ConvLSTM2D(4,3) ConvLSTM2D(4,3,padding="same",return_sequences=True) ConvLSTM2D(4,(3,5),dilation_rate=2) '
    "ConvLSTM2D(4,3,strides=2,use_bias=False,return_sequences=True) TimeDistributed(L.Conv2D(4,3)) Bidirectional(L.ConvLSTM2D(4,3))"
).split()
FUNCTIONS = (
    "x+y x*2.0 1.0-x x/2 -x x**2 ops.mean(x,axis=[1,2]) ops.mean(x,axis=-1,keepdims=True) ops.sum(x,axis=1) ops.max(x,axis=(1,2)) "
    "ops.argmax(x,axis=-1) ops.var(x,axis=-1) ops.reshape(x,(-1,64,4)) ops.reshape(x,(-1,4)) ops.transpose(x,(0,3,1,2)) "
    "ops.concatenate([x,y],axis=-1) ops.stack([x,y],axis=1) x[:,:4] x[:,::2,::2,:] x[:,0] x[...,0] x[...,1:3] ops.expand_dims(x,-1) "
    "ops.squeeze(x[:,:1],1) ops.relu(x) ops.softmax(x) ops.cast(x,'float16') ops.image.resize(x,(16,16)) ops.maximum(x,y) "
    "ops.where(x>0,x,y) ops.clip(x,0,1) ops.gelu(x) ops.flip(x,1)"
).split()

for code in KEEPING:
    chain(f"image {code}", IMAGE, eval(f"L.{code}"))
for code in SEQUENCES:
    chain(f"sequence {code}", (10, 8), eval(f"L.{code}"))
for code in VIDEOS:
    chain(f"video {code}", (6, 20, 20, 3), eval(f"L.{code}"))
chain("ConvLSTM1D", (6, 20, 3), L.ConvLSTM1D(4, 3))
chain("ConvLSTM3D", (6, 10, 10, 10, 3), L.ConvLSTM3D(4, 3))
chain(
    "masked",
    (None,),
    L.Embedding(100, 16, mask_zero=True),
    L.Bidirectional(L.LSTM(8, return_sequences=True)),
    L.TimeDistributed(L.Dense(4)),
    dtype="int32",
)
x, y = keras.Input((8, 8, 4), name="x"), keras.Input((8, 8, 4), name="y")
for code in FUNCTIONS:
    record(f"function {code}", [x, y], L.Activation("linear", name="after")(eval(code)))

query, value = keras.Input((10, 16), name="query"), keras.Input((12, 16), name="value")
record("attention heads", [query, value], L.MultiHeadAttention(4, 8)(query, value))
wide = L.MultiHeadAttention(4, 8, value_dim=6, output_shape=20)
record("attention keywords", [query, value], wide(query=query, value=value, key=value))
record("attention plain", [query, value], L.Attention(use_scale=True)([query, value]))
record("attention additive", [query, value], L.AdditiveAttention()([query, value]))

words, target = keras.Input((None, 12), name="words"), keras.Input((None, 14), name="target")
_, hidden, carry = L.LSTM(32, return_state=True)(words)
record("states", [words, target], L.LSTM(32, return_sequences=True)(target, initial_state=[hidden, carry]))
states = L.Bidirectional(L.LSTM(6, return_state=True, return_sequences=True))(words)
record("states both ways", words, [L.Concatenate()([states[1], states[3]]), states[0]])

picture = keras.Input((16, 16, 3))
residual = keras.Model(picture, L.Add()([L.Conv2D(3, 3, padding="same")(picture), picture]), name="residual")
clip = keras.Input((5, 16, 16, 3))
record("model for every step", clip, L.TimeDistributed(residual)(clip))
frame = keras.Sequential([keras.Input((16, 16, 3)), L.Conv2D(4, 3), L.Flatten(), L.Dense(7)], name="frame")
record("code for every step", clip, L.LSTM(9)(L.TimeDistributed(frame)(clip)))
left, right = keras.Input((16, 16, 3), name="left"), keras.Input((16, 16, 3), name="right")
record("twins", [left, right], L.Subtract()([frame(left), frame(right)]))

with gzip.GzipFile(sys.argv[1], "wb", mtime=0) as file:
    for entry in RECORDS:
        file.write((json.dumps(entry, separators=(",", ":")) + "\n").encode())
print(len(RECORDS), "records")
