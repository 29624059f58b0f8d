// The mark that a picture was made with AI: IPTC's digital source type in XMP, as server/provenance.py writes into films.

const SOURCE_TYPE = "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia";
const XMP = `<?xpacket begin="" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF
 xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about=""
 xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
 Iptc4xmpExt:DigitalSourceType="${SOURCE_TYPE}"/></rdf:RDF></x:xmpmeta><?xpacket end="w"?>`;
const HEADER_BYTES = 33; // signature and IHDR (PNG specification, 5.2 and 11.2.2)

/** A PNG with the mark in an iTXt chunk behind its header. */
export async function marked(png) {
  const bytes = new Uint8Array(await png.arrayBuffer());
  const body = new TextEncoder().encode(`iTXtXML:com.adobe.xmp\0\0\0\0\0${XMP}`);
  const chunk = new DataView(new ArrayBuffer(body.length + 8));
  chunk.setUint32(0, body.length - 4);
  new Uint8Array(chunk.buffer).set(body, 4);
  chunk.setUint32(body.length + 4, crc32(body));
  return new Blob([bytes.subarray(0, HEADER_BYTES), chunk.buffer, bytes.subarray(HEADER_BYTES)], { type: png.type });
}

/** A film of a MediaRecorder with the mark: a tag before the first cluster of a WebM, an XMP box behind an MP4. */
export async function markedFilm(parts, type) {
  if (type.startsWith("video/mp4")) return new Blob([...parts, xmpBox()], { type });
  const head = new Uint8Array(await parts[0].arrayBuffer());
  const at = firstCluster(head);
  return new Blob(at ? [head.subarray(0, at), tags(), head.subarray(at), ...parts.slice(1)] : parts, { type });
}

// Matroska (RFC 9559): identifiers of elements, with the bits that say how long they are
const SEGMENT = 0x18538067, CLUSTER = 0x1f43b675;
const TAGS = [0x12, 0x54, 0xc3, 0x67], TAG = [0x73, 0x73], TARGETS = [0x63, 0xc0], SIMPLE = [0x67, 0xc8], NAME = [0x45, 0xa3], TEXT = [0x44, 0x87];

/** Where the first cluster begins; 0 if it is not found.  The segment's size is made unknown, for it will grow. */
function firstCluster(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = 0;
  while (at + 12 < bytes.length) {
    const id = view.getUint32(at);
    if (id === CLUSTER) return at;
    const idBytes = Math.clz32(bytes[at]) - 23;
    const sizeBytes = Math.clz32(bytes[at + idBytes]) - 23;
    const from = at + idBytes, inside = from + sizeBytes;
    if (id === SEGMENT) {
      bytes.fill(0xff, from + 1, inside);
      bytes[from] |= 0xff >> sizeBytes;
      at = inside;
      continue;
    }
    let size = bytes[from] & (0xff >> sizeBytes);
    for (let n = from + 1; n < inside; n++) size = size * 256 + bytes[n];
    at = inside + size;
  }
  return 0;
}

function element(id, ...content) {
  const body = content.flatMap((part) => (typeof part === "string" ? [...new TextEncoder().encode(part)] : [...part]));
  return [...id, 0x40 | (body.length >> 8), body.length & 0xff, ...body]; // a size in two bytes
}

function tags() {
  const named = (name, text) => element(SIMPLE, element(NAME, name), element(TEXT, text));
  const comment = `AI-generated: restyled by Reverie; DigitalSourceType ${SOURCE_TYPE}`;
  return new Uint8Array(element(TAGS, element(TAG, element(TARGETS), named("DIGITAL_SOURCE_TYPE", SOURCE_TYPE), named("COMMENT", comment))));
}

function xmpBox() {
  const uuid = [0xbe, 0x7a, 0xcf, 0xcb, 0x97, 0xa9, 0x42, 0xe8, 0x9c, 0x71, 0x99, 0x94, 0x91, 0xe3, 0xaf, 0xac]; // XMP, part 3
  const body = new TextEncoder().encode(XMP);
  const box = new Uint8Array(24 + body.length);
  new DataView(box.buffer).setUint32(0, box.length);
  box.set(new TextEncoder().encode("uuid"), 4);
  box.set(uuid, 8);
  box.set(body, 24);
  return box;
}

function crc32(bytes) {
  let crc = -1;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  }
  return ~crc >>> 0;
}
