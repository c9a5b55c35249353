import assert from "node:assert/strict";
import { test } from "node:test";
import { page } from "./page.js";

test("the title is shown", () => assert.match(page("Ideas"), /<h1>Ideas<\/h1>/));
