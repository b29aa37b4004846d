//! How long answers are kept, and what is answered without a server.

use super::*;

#[test]
fn what_is_less_sure_is_kept_for_less_time() {
    let lifetimes = Lifetimes { found: Duration::from_mins(5) };
    let of = |answer: &Answer| lifetimes.of(answer);
    assert_eq!(of(&Answer::NotFound), NOBODY_KEPT_FOR);
    assert_eq!(of(&Answer::Ambiguous), NOBODY_KEPT_FOR);
    assert_eq!(of(&Answer::Unavailable), FAILURE_KEPT_FOR);
    let none = Lifetimes { found: Duration::ZERO };
    assert_eq!(none.of(&Answer::Unavailable), Duration::ZERO, "0 keeps nothing");
    let patient = RegistryPatient {
        id: LogicalId::parse("a").expect("an id"),
        active: None,
        names: Vec::new(),
        birth_date: None,
        gender: None,
        replaced_by: None,
    };
    let searched = Instant::now().checked_sub(Duration::from_mins(2)).expect("a machine that runs so long");
    let found = Found { patient, replaced_by: None, fetched_at: Clock::system().now(), searched };
    let left = of(&Answer::Found(Arc::new(found)));
    assert!(left <= Duration::from_mins(3) && left > Duration::from_mins(2), "{left:?}");
}

#[tokio::test]
async fn without_a_server_nobody_is_asked() {
    let service = PatientService::new(&PatientServiceConfig::default(), Clock::system()).expect("none");
    assert_eq!(service.system_of(""), None);
    assert!(matches!(service.find("urn:a", "P1").await, Answer::Unavailable));
}
