//! The test kit: the true program as a child process, senders and readers of DICOM, synthetic instances, and the
//! list of what the server acknowledged. Everything here panics with a sentence that says what to do.
//!
//! | module | gives |
//! |---|---|
//! | [`platform`] | `maxray serve` on free ports with its own data directory: start, kill -9, restart, stop |
//! | [`home`] | which of the two homes a run is on |
//! | [`behind`] | objects, keys and rows behind the program's back, in either home |
//! | [`armed`] | a server that dies at a fail point |
//! | [`session`] | users of every role and requests with their tokens |
//! | [`scu`] | DCMTK's senders, and an association made of raw PDUs |
//! | [`synthetic`] | instances of any size, syntax and identity |
//! | [`part10`], [`multipart`] | what came back, taken apart by code that the server does not share |
//! | [`link`] | lines that can be cut between a server and what it needs |
//! | [`network`] | networks of their own for servers, which can be unplugged |
//! | [`names`] | a name server that knows one name |
//! | [`load`] | several associations that send until the server is gone |
//! | [`s3`] | an S3 server that can misbehave |
//! | [`power_cut`] | a file system that loses what was not synced |
//! | [`ledger`] | every acknowledged instance, checked byte for byte afterwards |
//! | [`guard`] | what an attack must leave behind: nothing |
//! | [`verify`] | `maxray verify` and what it found |
//! | [`fixtures`] | files of `tests/fixtures` and of `MAXRAY_TEST_DATA` |
//! | [`qido`] | rows of search answers, page by page |
//! | [`tls`] | an authority and certificates, as files |
//! | [`nodes`] | several servers over one PostgreSQL and one bucket |
//! | [`listener`] | somebody who listens to `/events` |
//! | [`operator`] | `maxray ae`, and the audit trail |
//! | [`web`] | serving on a free port |
//! | [`wait`] | looking until something has come |
//! | [`receiver`] | what a webhook is pointed at |
//! | [`smtp`] | a mail server that can refuse |
//! | [`fhir`] | a FHIR server that knows patients |
//! | [`rabbitmq`] | a private RabbitMQ that can be killed |
//! | [`orthanc`] | a private Orthanc, as a modality and as an archive |
//! | [`pdf`] | a PDF that the server gave: its text, its fonts, its square code |
//! | [`python`] | scripts for pydicom, pynetdicom and dicomweb-client |
//! | [`cluster`] | a private PostgreSQL whose life ends with the test |
//! | [`postgres`] | a private PostgreSQL for all tests of a process |

pub mod armed;
pub mod behind;
pub mod ceph;
pub mod cluster;
pub mod digest;
pub mod env;
pub mod fhir;
pub mod fixtures;
pub mod guard;
pub mod home;
pub mod ledger;
mod lines;
pub mod link;
pub mod listener;
pub mod load;
pub mod multipart;
pub mod names;
pub mod network;
pub mod nodes;
pub mod operator;
pub mod orthanc;
pub mod part10;
pub mod pdf;
pub mod platform;
pub mod postgres;
pub mod power_cut;
pub mod python;
pub mod qido;
pub mod rabbitmq;
pub mod random;
pub mod receiver;
pub mod redis;
pub mod s3;
pub mod scu;
pub mod session;
pub mod smtp;
pub mod synthetic;
pub mod tls;
pub mod verify;
pub mod wait;
pub mod web;
