//! Accounts, doctors, application entities.

use database::{DatabaseError, DoctorChanges, DoctorFilter, NewDoctor, NewUser};
use model::{
    access::Role,
    ae::{AeOperation, AeProfile},
};
use uuid::Uuid;

use crate::support::{Home, actor};

on_both_engines!(
    usernames_are_unique_without_case,
    doctors_are_found,
    a_profile_changes_only_from_the_version_read,
    application_entities_are_registered,
);

fn user(name: &str, role: Role) -> NewUser {
    NewUser { username: name.to_owned(), password_hash: "$argon2id$x".to_owned(), role, doctor_id: None }
}

async fn usernames_are_unique_without_case(home: Home) {
    let database = &home.database;
    assert_eq!(database.user_count().await.expect("count"), 0);
    let admin = database.create_user(user("Admin", Role::Admin), &actor()).await.expect("created");
    let found = database.find_user("admin").await.expect("look-up").expect("there");
    assert_eq!(found, admin);
    assert_eq!((found.role, found.active, found.username.as_str()), (Role::Admin, true, "Admin"));
    let taken = database.create_user(user("ADMIN", Role::Viewer), &actor()).await;
    assert!(matches!(taken, Err(DatabaseError::Conflict(_))));
    database.set_password_hash(admin.id, "$argon2id$y", &actor()).await.expect("changed");
    let found = database.user(admin.id).await.expect("look-up").expect("there");
    assert_eq!(found.password_hash, "$argon2id$y");
    let unknown = database.set_password_hash(Uuid::now_v7(), "z", &actor()).await;
    assert!(matches!(unknown, Err(DatabaseError::NotFound)));
    let nobody = NewUser { doctor_id: Some(Uuid::now_v7()), ..user("x", Role::Doctor) };
    assert!(matches!(database.create_user(nobody, &actor()).await, Err(DatabaseError::NotFound)));
    assert_eq!(database.user_count().await.expect("count"), 1);
    assert!(!format!("{found:?}").contains("argon2id"));
}

async fn doctors_are_found(home: Home) {
    let database = &home.database;
    let make = |name: &str, specialty: &str, language: &str| NewDoctor {
        name: name.to_owned(),
        specialties: vec![specialty.into(), "Radiology".into()],
        languages: vec![language.to_owned()],
        ..NewDoctor::default()
    };
    let account = Some(user("zoe", Role::Doctor));
    let zoe = database
        .create_doctor(make("Zoë Müller", "Cardiology", "de"), account, &actor())
        .await
        .expect("made");
    database.create_doctor(make("Adam 100%", "Neurology", "en"), None, &actor()).await.expect("made");
    assert_eq!(database.find_user("zoe").await.expect("look-up").expect("there").doctor_id, Some(zoe.id));
    let again = database.create_doctor(make("X", "Y", "z"), Some(user("Zoe", Role::Doctor)), &actor()).await;
    assert!(matches!(again, Err(DatabaseError::Conflict(_))));

    let names = async |filter: DoctorFilter| -> Vec<String> {
        let found = database.doctors(&DoctorFilter { limit: 10, ..filter }).await.expect("doctors");
        found.into_iter().map(|doctor| doctor.name).collect()
    };
    let all = DoctorFilter::default;
    assert_eq!(names(all()).await, ["Adam 100%", "Zoë Müller"], "the doctor without an account was not made");
    assert_eq!(names(DoctorFilter { offset: 1, ..all() }).await, ["Zoë Müller"]);
    assert_eq!(names(DoctorFilter { q: Some("MULL".to_owned()), ..all() }).await, ["Zoë Müller"]);
    assert_eq!(names(DoctorFilter { q: Some("0%".to_owned()), ..all() }).await, ["Adam 100%"]);
    assert_eq!(names(DoctorFilter { q: Some("_".to_owned()), ..all() }).await, [""; 0]);
    assert_eq!(
        names(DoctorFilter { specialty: Some("cardiology".to_owned()), ..all() }).await,
        ["Zoë Müller"]
    );
    assert_eq!(names(DoctorFilter { specialty: Some("cardio".to_owned()), ..all() }).await, [""; 0]);
    assert_eq!(names(DoctorFilter { language: Some("EN".to_owned()), ..all() }).await, ["Adam 100%"]);
    assert_eq!(names(DoctorFilter { active: Some(false), ..all() }).await, [""; 0]);
    assert_eq!(database.doctor(zoe.id).await.expect("look-up"), Some(zoe));
    assert_eq!(database.doctor(Uuid::now_v7()).await.expect("look-up"), None);
}

async fn a_profile_changes_only_from_the_version_read(home: Home) {
    let database = &home.database;
    let new =
        NewDoctor { name: "A\0nn".to_owned(), contact: "a@example.org".to_owned(), ..NewDoctor::default() };
    let doctor = database.create_doctor(new, None, &actor()).await.expect("made");
    assert_eq!((doctor.version, doctor.name.as_str()), (1, "Ann"));
    home.sleep_seconds(60);
    let change = DoctorChanges { active: Some(false), ..DoctorChanges::default() };
    let changed = database.update_doctor(doctor.id, 1, change.clone(), &actor()).await.expect("changed");
    assert_eq!((changed.version, changed.active, &changed.contact), (2, false, &doctor.contact));
    assert!(changed.updated_at > changed.created_at);
    assert_eq!(database.doctor(doctor.id).await.expect("look-up"), Some(changed));
    let late = database.update_doctor(doctor.id, 1, change.clone(), &actor()).await;
    assert!(matches!(late, Err(DatabaseError::Conflict(_))));
    let unknown = database.update_doctor(Uuid::now_v7(), 1, change, &actor()).await;
    assert!(matches!(unknown, Err(DatabaseError::NotFound)));
}

async fn application_entities_are_registered(home: Home) {
    let database = &home.database;
    let title = || "CR1".parse().expect("a title");
    let profile = AeProfile {
        addresses: vec!["192.0.2.0/24".parse().expect("a network"), "::1".parse().expect("a network")],
        certificate: Some("dns:cr1.example".parse().expect("a certificate")),
        operations: vec![AeOperation::Store, AeOperation::Find],
        sop_classes: vec!["1.2.3".parse().expect("a UID")],
        associations_max: 4,
        description: "Room 1".to_owned(),
        ..AeProfile::default()
    };
    let ae = database.create_ae(title(), profile.clone(), &actor()).await.expect("registered");
    let again = database.create_ae(title(), AeProfile::default(), &actor()).await;
    assert!(matches!(again, Err(DatabaseError::Conflict(_))));
    assert_eq!(ae.profile, profile);
    assert_eq!(database.aes().await.expect("list"), std::slice::from_ref(&ae));
    let changed = AeProfile { enabled: false, certificate: None, ..profile };
    let updated = database.update_ae(ae.id, ae.version, changed.clone(), &actor()).await.expect("changed");
    assert_eq!((&updated.profile, updated.version), (&changed, ae.version + 1));
    assert_eq!(database.ae(ae.id).await.expect("look-up"), Some(updated));
    let late = database.update_ae(ae.id, ae.version, changed.clone(), &actor()).await;
    assert!(matches!(late, Err(DatabaseError::Conflict(_))));
    let nobody = database.update_ae(Uuid::now_v7(), 1, changed, &actor()).await;
    assert!(matches!(nobody, Err(DatabaseError::NotFound)));
    assert!(database.remove_ae(ae.id, &actor()).await.expect("removed"));
    assert!(!database.remove_ae(ae.id, &actor()).await.expect("gone"));
    assert_eq!(database.aes().await.expect("list"), []);
}
