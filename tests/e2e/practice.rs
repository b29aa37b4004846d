//! A doctor in a consultation, for what doctors write in one and print.

use serde_json::json;
use tests::{
    pdf::Pdf,
    platform::{Options, Platform},
    session::{PASSWORD, Session},
};

pub struct Practice {
    pub platform: Platform,
    pub ada: Session,
    pub doctor: String,
    pub consultation: String,
}

impl Practice {
    /// Ada, who is in a consultation with `PAT-1001`.
    pub async fn open(options: Options) -> Self {
        let platform = Platform::start(options).await;
        let admin = platform.user("operator", "admin").await;
        let account = json!({ "username": "ada", "password": PASSWORD });
        let profile = json!({
            "name": "Ada Müller", "licence_number": "MD-4711", "contact": "ada@clinic.example",
            "specialties": ["Radiology"], "account": account,
        });
        let doctor = admin.post_json("/doctors", &profile).await["id"].as_str().expect("an id").to_owned();
        let ada = platform.sign_in("ada", PASSWORD).await;
        let path = format!("/doctors/{doctor}/consultation");
        let booking = json!({ "patient_id": "PAT-1001", "patient_name": "Nguyễn^Thị^^Dr." });
        let made = ada.post_json(&path, &booking).await;
        let consultation = made["id"].as_str().expect("an id").to_owned();
        Self { platform, ada, doctor, consultation }
    }

    /// The paper of a document.
    pub async fn pdf(&self, path: &str) -> Pdf {
        Pdf::get(&self.ada, path).await
    }
}
