// A booking page's program, on the types that openapi-typescript makes of /openapi.json. Arguments: base URL, password of `operator`,
// password for the new doctor. Prints one JSON object.

import createClient, { type Middleware } from "openapi-fetch";
import type { components, paths } from "./api.js";

declare const process: { argv: string[] };
const [baseUrl = "", password = "", doctorsPassword = ""] = process.argv.slice(2);

type Consultation = components["schemas"]["Consultation"];
type Client = ReturnType<typeof createClient<paths>>;

/** What was asked for, or an end that says what the server said. */
function taken<T>(answer: { data?: T; error?: unknown; response: Response }): T {
  if (answer.data === undefined) {
    throw new Error(`${answer.response.url}: ${answer.response.status} ${JSON.stringify(answer.error)}`);
  }
  return answer.data;
}

async function signIn(username: string, password: string): Promise<Client> {
  const client = createClient<paths>({ baseUrl });
  const session = taken(await client.POST("/sessions", { body: { username, password } }));
  const withToken: Middleware = {
    onRequest({ request }) {
      request.headers.set("Authorization", `Bearer ${session.access_token}`);
      return request;
    },
  };
  client.use(withToken);
  return client;
}

const admin = await signIn("operator", password);
const account = { username: "ada", password: doctorsPassword };
const doctor = taken(
  await admin.POST("/doctors", { body: { name: "Ada", time_zone: "Europe/Berlin", account } }),
);
const path = { id: doctor.id };

const ada = await signIn("ada", doctorsPassword);
const rules = taken(
  await ada.PUT("/doctors/{id}/availability/rules", {
    params: { path, header: { "If-Match": '"0"' } },
    body: { slot_minutes: 30, weekly: [{ weekday: "monday", from: "09:00", to: "10:00" }] },
  }),
);

// Mondays of the next week.
const from = new Date(Date.now() + 86_400_000).toISOString();
const to = new Date(Date.now() + 9 * 86_400_000).toISOString();
const free = taken(await ada.GET("/doctors/{id}/availability", { params: { path, query: { from, to } } }));
const slot = free.slots[0];
if (slot === undefined) throw new Error("no free slot");

const body = { patient_id: "P-1", scheduled_at: slot.starts_at, proposed: false };
const booked: Consultation = taken(await ada.POST("/doctors/{id}/consultation", { params: { path }, body }));
const again = await ada.POST("/doctors/{id}/consultation", { params: { path }, body });
const list = taken(await ada.GET("/doctors/{id}/consultations", { params: { path, query: { status: "booked" } } }));

// What must not compile: the types are types, not `any`.
// @ts-expect-error there is no such path
void ((client: Client) => client.GET("/nothing", {}));
// @ts-expect-error a patient is needed
void ((client: Client) => client.POST("/doctors/{id}/consultation", { params: { path }, body: {} }));
// @ts-expect-error a status is a text
void ((consultation: Consultation): number => consultation.status);

console.log(
  JSON.stringify({
    slot_minutes: rules.slot_minutes,
    booked: booked.status,
    again: { status: again.response.status, title: again.error?.title },
    listed: list.items.map((one) => one.id === booked.id),
  }),
);
