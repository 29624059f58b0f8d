// The HTTP parts of Decart's SDK in Node: node http.js URL; prints what it saw as one JSON object.
import { createDecartClient, models } from "@decartai/sdk";

const client = createDecartClient({ apiKey: "local", baseUrl: process.argv[2], telemetry: false });
const saw = {};
const token = await client.tokens.create({ expiresIn: 60, allowedModels: ["lucy-2.5"] });
saw.token = token.apiKey.startsWith("ek_") && token.permissions.models[0] === "lucy-2.5";
const borrowed = createDecartClient({ apiKey: token.apiKey, baseUrl: process.argv[2], telemetry: false });
saw.minted = await borrowed.tokens.create().then(() => false, (error) => error.message.includes("403"));
saw.model = models.realtime("lucy-2.5").width === 1280;
console.log(JSON.stringify(saw));
