// Fixed batch size in a TensorFlow Lite file: -1 in the shapes of its tensors becomes 1.
//
// LiteRT.js runs tensors of fixed shape only, and Keras exports a batch of any size as -1. A `.tflite` file is a FlatBuffer of
// the schema https://github.com/google-ai-edge/LiteRT/blob/main/tflite/schema/schema.fbs; only what is needed is read here:
//
//   table Model { version; operator_codes; subgraphs:[SubGraph]; ... }
//   table SubGraph { tensors:[Tensor]; ... }
//   table Tensor { shape:[int]; type; buffer; name; quantization; is_variable; sparsity; shape_signature:[int]; ... }
//
// A table starts with the distance back to its vtable, which holds the offsets of its fields; offsets of other objects count from
// where they are stored; a vector is its length and its elements. All numbers are little-endian.

const MODEL_SUBGRAPHS = 2; // numbers of the fields in their tables
const SUBGRAPH_TENSORS = 0;
const TENSOR_SHAPE = 0;
const TENSOR_SHAPE_SIGNATURE = 7;
const IDENTIFIER = "TFL3";

/**
 * Return the bytes of the model with a batch of one: a copy if something was changed, the same array otherwise.
 *
 * @param {Uint8Array} bytes a `.tflite` file
 * @returns {Uint8Array}
 * @throws {Error} if it is none, or a dimension other than the first is open
 */
export function fixBatch(bytes) {
  if (String.fromCharCode(...bytes.subarray(4, 8)) !== IDENTIFIER) throw new Error("this is no TensorFlow Lite file");
  try {
    const open = [...openDimensions(new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength))];
    if (!open.length) return bytes;
    const fixed = bytes.slice();
    const view = new DataView(fixed.buffer);
    for (const position of open) view.setInt32(position, 1, true);
    return fixed;
  } catch (error) {
    throw error instanceof RangeError ? new Error("the TensorFlow Lite file is damaged", { cause: error }) : error;
  }
}

/** Positions in the file of all dimensions that are -1. */
function* openDimensions(view) {
  for (const subgraph of tables(view, field(view, view.getUint32(0, true), MODEL_SUBGRAPHS))) {
    for (const tensor of tables(view, field(view, subgraph, SUBGRAPH_TENSORS))) {
      for (const number of [TENSOR_SHAPE, TENSOR_SHAPE_SIGNATURE]) yield* openOf(view, field(view, tensor, number));
    }
  }
}

/** Positions of the -1 in a vector of integers; only the first dimension may be open. */
function* openOf(view, vector) {
  for (const [index, position] of elements(view, vector)) {
    if (view.getInt32(position, true) !== -1) continue;
    if (index) throw new Error("a dimension other than the batch is open");
    yield position;
  }
}

/** Positions of the tables that a vector refers to. */
function* tables(view, vector) {
  for (const [, position] of elements(view, vector)) yield position + view.getUint32(position, true);
}

/** Index and position of each element of a vector of numbers of four bytes; none where there is no vector (0). */
function* elements(view, vector) {
  const length = vector ? view.getUint32(vector, true) : 0;
  for (let index = 0; index < length; index++) yield [index, vector + 4 + 4 * index];
}

/** Position of the object that a table's field refers to, 0 where the table lacks the field. */
function field(view, table, number) {
  const vtable = table - view.getInt32(table, true);
  const entry = 4 + 2 * number; // after the sizes of vtable and table
  const offset = entry < view.getUint16(vtable, true) ? view.getUint16(vtable + entry, true) : 0;
  return offset && table + offset + view.getUint32(table + offset, true);
}
