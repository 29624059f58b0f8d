// The page of the browser tests: Decart's SDK as a global, nothing else.
import { createDecartClient, models } from "@decartai/sdk";

window.decart = { createDecartClient, models };
