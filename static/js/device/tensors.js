// Input and output tensors of LiteRT, float32: in the memory of the WebAssembly, or on the graphics card (WebGPU).

const FLOAT32 = 1; // of LiteRT's ElementType
const BYTES = 4;

/** What makes the inputs of a model and reads its outputs; `device` is a GPUDevice for a model that runs on the graphics card. */
export class Tensors {
  #wasm;
  #environment;
  #device;

  constructor({ wasm, environment }, device = null) {
    this.#wasm = wasm;
    this.#environment = environment;
    this.#device = device;
  }

  /**
   * Make a tensor for each input of LiteRT's `model`, which all runs use.
   *
   * @returns {{buffer: object, shape: number[], length: number, write: (values: Float32Array) => void, delete: () => void}[]}
   * @throws {Error} if an input is not float32
   */
  inputsOf(model) {
    const signature = model.getSignature(0);
    const names = signature.inputNames();
    const types = Array.from({ length: names.size() }, (_, index) => model.getInputTensorType(0, index));
    names.delete();
    signature.delete();
    try {
      if (types.some((type) => type.elementType().value !== FLOAT32)) throw new Error("an input is not float32");
      return types.map((type) => {
        const shape = shapeOf(type);
        const length = shape.reduce((product, size) => product * size, 1);
        return { ...(this.#device ? this.#onCard(type) : this.#inMemory(type)), shape, length };
      });
    } finally {
      for (const type of types) type.delete();
    }
  }

  #inMemory(type) {
    const wasm = this.#wasm;
    const kind = wasm.LiteRtTensorBufferType.HOST_MEMORY;
    const buffer = wasm.LiteRtTensorBuffer.createManaged(this.#environment, kind, type, type.bytes());
    const write = (values) => {
      const address = buffer.lock(wasm.LiteRtTensorBufferLockMode.WRITE);
      wasm.HEAPU8.set(new Uint8Array(values.buffer, values.byteOffset, values.byteLength), address);
      buffer.unlock();
    };
    return { buffer, write, delete: () => buffer.delete() };
  }

  #onCard(type) {
    const [wasm, device] = [this.#wasm, this.#device];
    const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;
    const memory = device.createBuffer({ size: type.bytes(), usage });
    const imported = wasm.WebGPU.importJsBuffer(memory);
    const packed = wasm.LiteRtTensorBufferType.WEB_GPU_BUFFER_PACKED;
    const buffer = wasm.LiteRtTensorBuffer.createFromWebGpuBuffer(this.#environment, type, packed, imported, memory.size);
    const free = () => {
      buffer.delete();
      wasm.wgpuBufferRelease(imported);
      memory.destroy();
    };
    return { buffer, write: (values) => device.queue.writeBuffer(memory, 0, values), delete: free };
  }

  /** Copy an output. @returns {Promise<Float32Array>} */
  async read(buffer) {
    return new Float32Array(buffer.isWebGpuMemory() ? await this.#readCard(buffer) : this.#readMemory(buffer));
  }

  #readMemory(buffer) {
    const wasm = this.#wasm;
    const address = buffer.lock(wasm.LiteRtTensorBufferLockMode.READ);
    const bytes = wasm.HEAPU8.slice(address, address + buffer.packedSize()); // a copy: the memory may move when it grows
    buffer.unlock();
    return bytes.buffer;
  }

  async #readCard(buffer) {
    const type = buffer.tensorType();
    const size = shapeOf(type).reduce((product, side) => product * side, BYTES);
    type.delete();
    const copy = this.#device.createBuffer({ size, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST });
    const commands = this.#device.createCommandEncoder();
    commands.copyBufferToBuffer(this.#wasm.WebGPU.getJsObject(buffer.getWebGpuBuffer()), buffer.offset(), copy, 0, size);
    this.#device.queue.submit([commands.finish()]);
    try {
      await copy.mapAsync(GPUMapMode.READ);
      return copy.getMappedRange().slice(0);
    } finally {
      copy.destroy();
    }
  }
}

function shapeOf(type) {
  const layout = type.layout();
  const dimensions = layout.dimensions();
  const shape = Array.from({ length: dimensions.size() }, (_, axis) => dimensions.get(axis));
  dimensions.delete();
  layout.delete();
  return shape;
}

/** Ask for a graphics card. Returns null where there is none or the browser refuses it. */
export async function requestDevice() {
  try {
    const adapter = await navigator.gpu.requestAdapter({ powerPreference: "high-performance" });
    const names = ["maxBufferSize", "maxStorageBufferBindingSize", "maxStorageBuffersPerShaderStage", "maxTextureDimension2D"];
    const requiredLimits = Object.fromEntries(names.map((name) => [name, adapter.limits[name]]));
    const requiredFeatures = ["shader-f16", "subgroups"].filter((feature) => adapter.features.has(feature));
    return await adapter.requestDevice({ requiredFeatures, requiredLimits });
  } catch {
    return null;
  }
}
