/** Texts to measure with, all made by rule. */

/** A native model of `layers` layers: convolutions in growing stages, normalised, activated, sometimes named or joined. */
export function nativeModel(layers: number): string {
  const lines = ["cnn: 1", "name: bench", "input: [3, 224, 224]", "layers:"];
  for (let index = 0; index < layers; index++) {
    const channels = 16 + 8 * (Math.floor(index / 10) % 8);
    switch (index % 5) {
      case 0:
        lines.push(
          `  - {type: Conv2d, out_channels: ${channels}, kernel_size: 3, padding: 1, bias: false, name: conv${index}}`,
        );
        break;
      case 3:
        lines.push(`  - {type: Conv2d, out_channels: ${channels}, kernel_size: 1}`);
        break;
      case 4:
        lines.push(`  - {type: Add, from: [-1, conv${index - 4}]}`);
        break;
      default:
        lines.push(index % 5 === 1 ? "  - BatchNorm2d" : "  - ReLU");
    }
  }
  return `${lines.join("\n")}\n`;
}

/** A JSON document of at least `bytes` that is no model: nested records as a tool would write them. */
export function foreignJson(bytes: number): string {
  const records: object[] = [];
  for (let length = 0, id = 0; length < bytes; id++) {
    const record = {
      id,
      name: `record ${id}`,
      config: { class: "entry", units: id % 64, activation: "none", trainable: id % 2 === 0 },
      values: [id, id + 1, id + 2],
    };
    records.push(record);
    length += JSON.stringify(record).length + 1;
  }
  return JSON.stringify({ version: 3, records });
}

/** A functional Keras model of at least `bytes`, as Keras 3 writes it: residual blocks with everything that is written. */
export function kerasModel(bytes: number): string {
  const layers: object[] = [];
  let length = 0;
  const add = (class_name: string, config: object, from: readonly string[]): string => {
    const name = `${class_name.toLowerCase()}_${layers.length}`;
    const tensors = from.map((layer) => ({
      class_name: "__keras_tensor__",
      config: { shape: [null, 56, 56, 64], dtype: "float32", keras_history: [layer, 0, 0] },
    }));
    const args = from.length > 1 ? [tensors] : tensors;
    const layer = {
      module: "keras.layers",
      class_name,
      config: {
        name,
        trainable: true,
        dtype: { module: "keras", class_name: "DTypePolicy", config: { name: "float32" }, registered_name: null },
        ...config,
      },
      registered_name: null,
      build_config: { input_shape: [null, 56, 56, 64] },
      name,
      inbound_nodes: from.length > 0 ? [{ args, kwargs: {} }] : [],
    };
    layers.push(layer);
    length += JSON.stringify(layer).length;
    return name;
  };
  const initializer = (class_name: string) => ({
    module: "keras.initializers",
    class_name,
    config: {},
    registered_name: null,
  });
  const convolution = {
    filters: 64,
    kernel_size: [3, 3],
    strides: [1, 1],
    padding: "same",
    data_format: "channels_last",
    dilation_rate: [1, 1],
    groups: 1,
    activation: "linear",
    use_bias: true,
    kernel_initializer: initializer("GlorotUniform"),
    bias_initializer: initializer("Zeros"),
    kernel_regularizer: null,
    bias_regularizer: null,
    activity_regularizer: null,
    kernel_constraint: null,
    bias_constraint: null,
  };
  const normalization = { axis: -1, momentum: 0.99, epsilon: 0.001, center: true, scale: true };
  const first = add("InputLayer", { batch_shape: [null, 56, 56, 64] }, []);
  let last = first;
  while (length < bytes) {
    const convolved = add("Conv2D", convolution, [last]);
    const normalized = add("BatchNormalization", normalization, [convolved]);
    const activated = add("Activation", { activation: "relu" }, [normalized]);
    last = add("Add", {}, [activated, last]);
  }
  const config = { name: "bench", layers, input_layers: [[first, 0, 0]], output_layers: [[last, 0, 0]] };
  return JSON.stringify({ module: "keras", class_name: "Functional", config });
}

/** A YOLO model file of more rows, and of heavier modules, than most published ones: four levels, up and down. */
export function yoloModel(): string {
  const rows: string[] = [];
  const add = (from: string, repeats: number, module: string, args: string) => {
    rows.push(`  - [${from}, ${repeats}, ${module}, [${args}]] # ${rows.length}`);
    return rows.length - 1;
  };
  add("-1", 1, "Conv", "64, 3, 2");
  const levels: number[] = [];
  for (const width of [128, 256, 512, 768, 1024]) {
    add("-1", 1, "Conv", `${width}, 3, 2`);
    levels.push(add("-1", 2, "C3k2", `${width}, True`));
  }
  levels.push(add("-1", 1, "SPPF", "1024, 5"));
  levels[4] = add("-1", 2, "C2PSA", "1024");
  const backbone = rows.splice(0).join("\n");
  const offset = levels[4]! + 1;
  const put = (from: string, repeats: number, module: string, args: string) =>
    add(from, repeats, module, args) + offset;
  const up = levels.slice(1, 5);
  for (let level = 2; level >= 0; level--) {
    put("-1", 1, "nn.Upsample", "None, 2, nearest");
    put(`[-1, ${up[level]}]`, 1, "Concat", "1");
    up[level] = put("-1", 2, "C3k2", `${[256, 512, 768][level]}, True`);
  }
  const maps = [...up];
  for (let level = 1; level < 4; level++) {
    put("-1", 1, "Conv", `${[256, 512, 768][level - 1]}, 3, 2`);
    put(`[-1, ${up[level]}]`, 1, "Concat", "1");
    maps[level] = put("-1", 2, "C3k2", `${[256, 512, 768, 1024][level]}, True`);
  }
  put(`[${maps.join(", ")}]`, 1, "Detect", "nc");
  return `nc: 80\nscales:\n  x: [1.00, 1.50, 512]\nbackbone:\n${backbone}\nhead:\n${rows.join("\n")}\n`;
}
