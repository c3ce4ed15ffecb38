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
