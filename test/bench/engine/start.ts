/** How long the engine takes from being loaded to its first small result: runs in a fresh process, and prints it. */
const start = performance.now();
const { createWasmBackend } = await import("#shared/kernels/wasm/wasm.ts");
const axis = { input: 28, output: 28, kernel: 5, stride: 1, dilation: 1, padBefore: 2, padAfter: 2 };
const backend = createWasmBackend();
const x = backend.enter({ dims: [1, 1, 28, 28], data: new Float32Array(784).fill(1) });
const weight = { dims: [6, 1, 5, 5], data: new Float32Array(150).fill(1) };
const y = backend.convolve(x, { weight, bias: null, axes: [axis, axis], groups: 1 });
if (backend.read(y).data[0] !== 9) throw new Error("the first result is wrong");
console.log(performance.now() - start);
