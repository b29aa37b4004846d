//! Devices: what sends X-rays in the field without anybody typing a password. A device's token is a session of its
//! account, so `GET /sessions` lists devices and `DELETE /sessions/{id}` ends one.

pub mod create_device;
