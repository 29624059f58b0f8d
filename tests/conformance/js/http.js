// The HTTP parts of Decart's SDK in Node: node http.js URL CLIP PICTURE; prints what it saw as one JSON object.
import { readFileSync } from "node:fs";
import { createDecartClient, models } from "@decartai/sdk";

const client = createDecartClient({ apiKey: "local", baseUrl: process.argv[2], telemetry: false });
const saw = {};
const token = await client.tokens.create({ expiresIn: 60, allowedModels: ["lucy-2.5"] });
saw.token = token.apiKey.startsWith("ek_") && token.permissions.models[0] === "lucy-2.5";
const borrowed = createDecartClient({ apiKey: token.apiKey, baseUrl: process.argv[2], telemetry: false });
saw.minted = await borrowed.tokens.create().then(() => false, (error) => error.message.includes("403"));
saw.model = models.realtime("lucy-2.5").width === 1280;

const [clip, picture] = process.argv.slice(3).map((path) => new Blob([readFileSync(path)]));
const seen = [];
const wish = { model: models.video("lucy-latest"), prompt: "red", enhance_prompt: false, data: clip };
const done = await client.queue.submitAndPoll({ ...wish, onStatusChange: (job) => seen.push(job.status) });
saw.submitAndPoll = done.status === "completed" && (await done.data.slice(4, 8).text()) === "ftyp";
saw.statuses = seen.at(-1) === "completed";
const job = await client.queue.submit({ model: models.image("lucy-image-2"), prompt: "red", data: picture });
let status;
do status = (await client.queue.status(job.job_id)).status;
while (status === "pending" || status === "processing");
saw.imageJob = status === "completed" && (await client.queue.result(job.job_id)).type === "image/png";
const image = await client.process({ model: models.image("lucy-image-2"), prompt: "red", reference_image: picture, data: picture });
saw.process = image.type === "image/png" && image.size > 100;
saw.refusal = await client.queue
  .submit({ ...wish, data: picture })
  .then(() => false, (error) => error.message.includes("data is not a video"));
const file = await client.files.upload(picture, { ttlSeconds: 60 });
saw.file = (await client.files.get(file.id)).size_bytes === picture.size;
await client.files.delete(file.id);
saw.fileGone = await client.files.get(file.id).then(() => false, (error) => error.message.includes("404"));
console.log(JSON.stringify(saw));
