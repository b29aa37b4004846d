//! What an erasure takes with a patient that names no study: rights by the Patient ID.

use database::{Erased, Erasure, GrantKind, NewBreakGlass, NewGrant, NewUser};
use model::access::Role;
use uuid::Uuid;

use crate::{
    consultations::doctor,
    support::{Home, actor, instance, patient},
};

on_both_engines!(rights_without_an_issuer_go_unless_they_may_mean_somebody_else);

/// A study of a patient of an issuer; gives the patient record.
async fn store(home: &Home, study: &str, patient_id: &str, issuer: &str) -> Uuid {
    let mut new = instance(study, 1);
    new.header.patient = patient(patient_id, "Doe^Jane");
    issuer.clone_into(&mut new.header.patient.issuer_of_patient_id);
    home.put(new).await;
    let found = home.database.patients_by_patient_id(patient_id, Some(issuer)).await.expect("looked up");
    found[0].id
}

/// A grant and an emergency access.
async fn rights(
    home: &Home,
    user_id: Uuid,
    doctor_id: Uuid,
    (patient_id, issuer): (&str, &str),
) -> [Uuid; 2] {
    let (patient_id, issuer_of_patient_id) = (patient_id.to_owned(), issuer.to_owned());
    let emergency = NewBreakGlass {
        user_id,
        doctor_id,
        patient_id: patient_id.clone(),
        issuer_of_patient_id: issuer_of_patient_id.clone(),
        reason: "found unconscious, no consultation yet".to_owned(),
    };
    let emergency = home.database.start_break_glass(emergency, &actor()).await.expect("begun");
    let kind = GrantKind::Patient { patient_id, issuer_of_patient_id };
    let grant = NewGrant { user_id, kind, expires_at: None };
    let grant = home.database.add_grant(grant, &actor()).await.expect("granted");
    [grant.id, emergency.id]
}

async fn erase(home: &Home, patient: Uuid, any_name: bool) -> Erased {
    let erasure = Erasure { reason: "asked for", any_name };
    home.database.erase_patient(patient, erasure, &actor()).await.expect("erased")
}

async fn rights_without_an_issuer_go_unless_they_may_mean_somebody_else(home: Home) {
    let doctor_id = doctor(&home).await;
    let (username, password_hash) = ("ann".to_owned(), "$x".to_owned());
    let new = NewUser { username, password_hash, role: Role::Doctor, doctor_id: Some(doctor_id) };
    let user_id = home.database.create_user(new, &actor()).await.expect("an account").id;
    let alone = store(&home, "1.1", "P1", "HOSP").await;
    let [here, there] = [store(&home, "1.2", "P2", "HOSP").await, store(&home, "1.3", "P2", "CLINIC").await];
    rights(&home, user_id, doctor_id, ("P1", "")).await;
    let shared = rights(&home, user_id, doctor_id, ("P2", "")).await;
    rights(&home, user_id, doctor_id, ("P2", "HOSP")).await;
    let ids = async || {
        let grants = home.database.grants(None, 10).await.expect("grants");
        let accesses = home.database.break_glass_list(None, false, 10).await.expect("accesses");
        let named = accesses.iter().filter(|access| !access.patient_id.is_empty());
        (
            grants.iter().map(|grant| grant.id).collect::<Vec<_>>(),
            named.map(|access| access.id).collect::<Vec<_>>(),
        )
    };

    let erased = erase(&home, alone, false).await;
    assert!(erased.grants_left.is_empty() && erased.emergency_accesses_left.is_empty(), "{erased:?}");
    assert_eq!(ids().await.0.len(), 2, "the grant that names no issuer is gone");

    let erased = erase(&home, here, false).await;
    assert_eq!((&erased.grants_left[..], &erased.emergency_accesses_left[..]), (&shared[..1], &shared[1..]));
    assert_eq!(ids().await, (vec![shared[0]], vec![shared[1]]), "they open the other patient, too");

    erase(&home, there, false).await;
    assert_eq!(ids().await, (vec![], vec![]), "nobody else has the Patient ID any more");
}
