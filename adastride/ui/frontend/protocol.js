// The packed bytes the server sends.

const TYPES = { f4: Float32Array, i2: Int16Array, u1: Uint8Array };

export function unpack(bytes) {
  if (bytes.byteOffset % 4) bytes = bytes.slice();
  const size = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
  const header = JSON.parse(new TextDecoder().decode(bytes.subarray(4, 4 + size)));
  const arrays = {};
  for (const [name, { type, offset, count }] of Object.entries(header.arrays)) arrays[name] = new TYPES[type](bytes.buffer, bytes.byteOffset + 4 + size + offset, count);
  return { header, arrays };
}
