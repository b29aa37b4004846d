//! A doctor in a consultation, for what doctors write in one.

use model::{access::Role, clinical::Doctor};
use serde_json::Value;

use super::house::{Answer, House};

pub struct Practice {
    pub house: House,
    pub doctor: Doctor,
    pub ada: String,
    pub ben: String,
    pub consultation: String,
}

/// Ada is in a consultation with P1; Ben has nothing to do with it.
pub async fn practice() -> Practice {
    let house = House::open().await;
    let (doctor, other) = (house.doctor("Ada").await, house.doctor("Ben").await);
    let (_, ada) = house.account(Role::Doctor, Some(doctor.id)).await;
    let (_, ben) = house.account(Role::Doctor, Some(other.id)).await;
    let consultation = house.book(&ada, &doctor, "P1").await;
    Practice { house, doctor, ada, ben, consultation }
}

impl Practice {
    /// As Ada.
    pub async fn post(&self, path: &str, body: Value) -> Answer {
        self.house.post(path, &self.ada, body).await
    }
}
