import assert from "node:assert/strict";
import { test } from "node:test";
import { title } from "./title.js";

test("the name is in the title", () => assert.equal(title("x"), "Canvas of x"));
