//! The program dies, or its disk fails, in the middle of everything: what it acknowledged is there and whole.
//!
//! | file | how |
//! |---|---|
//! | `random_kills` | kill -9 at random moments under load |
//! | `kill_points` | kill -9 at every fail point (`crates/fail-point`), and at calls of the system that no line of ours stands for |
//! | `bookings` | kill -9 in the COMMIT that bookings share |
//! | `key_kills` | kill -9 while a patient is erased, keys are changed, the audit trail is signed |
//! | `bucket_kills` | kill -9 while objects travel to a bucket |
//! | `system_calls` | kill -9 or an error at a call of the system that SQLite or the kernel makes (strace) |
//! | `sync_order` | nothing dies: the syncs are there, in their order (strace) |
//! | `disk_full` | no space, and space again |
//! | `lost_connection` | the connection to PostgreSQL is cut in COMMIT |
//! | `postgres_dies` | PostgreSQL is killed under load and comes back; the server lives |
//! | `cut_transfers` | a TLS connection is cut in the middle of an object |
//! | `faulty_lines` | TLS connections are cut anywhere, or a bit of them is turned, by the hundred |
//! | `failing_steps` | the step at a fail point returns an error |

mod bookings;
mod bucket_kills;
mod cut_transfers;
mod disk_full;
mod failing_steps;
mod faulty_lines;
mod key_kills;
mod kill_points;
mod lost_connection;
mod postgres_dies;
mod random_kills;
mod sync_order;
mod system_calls;
