//! Every relation of somebody to a study, each on every way to it: the engine must say what the naive evaluator says.

use database::{Level, StoredInstance};
use model::{
    access::{Action, Principal, Role, Scope},
    clinical::ConsultationStatus::{self, Arrived, Booked, Cancelled, Completed, InProgress, NoShow},
};

use super::{oracle::Granted, world::World};
use crate::support::{Home, study_uid};

on_both_engines!(every_relation_on_every_way);

const HOUR: i64 = 3_600;
const DAY: i64 = 24 * HOUR;

/// Where a consultation stands at the time of the questions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stand {
    Is(ConsultationStatus),
    Completed31DaysAgo,
    Completed29DaysAgo,
    Completed1HourAgo,
}

const STANDS: [Stand; 8] = [
    Stand::Is(Booked),
    Stand::Is(InProgress),
    Stand::Is(Arrived),
    Stand::Is(Cancelled),
    Stand::Is(NoShow),
    Stand::Completed31DaysAgo,
    Stand::Completed29DaysAgo,
    Stand::Completed1HourAgo,
];

/// How a study relates to the consultation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tie {
    Linked,
    Unlinked,
    Prior,
    OtherIssuer,
    OtherPatient,
}

const TIES: [Tie; 5] = [Tie::Linked, Tie::Unlinked, Tie::Prior, Tie::OtherIssuer, Tie::OtherPatient];

struct People {
    ada: Principal,
    ben: Principal,
    carl: Principal,
    first_paramedic: Principal,
    second_paramedic: Principal,
    viewers: Vec<Principal>,
    service: Principal,
    admin: Principal,
}

impl People {
    async fn of(world: &World<'_>) -> Self {
        Self {
            ada: world.account(Role::Doctor).await,
            ben: world.account(Role::Doctor).await,
            carl: world.account(Role::Doctor).await,
            first_paramedic: world.account(Role::Paramedic).await,
            second_paramedic: world.account(Role::Paramedic).await,
            viewers: vec![
                world.account(Role::Viewer).await,
                world.account(Role::Viewer).await,
                world.account(Role::Viewer).await,
                world.account(Role::Viewer).await,
            ],
            service: world.account(Role::Service).await,
            admin: world.account(Role::Admin).await,
        }
    }

    fn all(&self) -> Vec<Principal> {
        let doctors = [&self.ada, &self.ben, &self.carl];
        let others = [&self.first_paramedic, &self.second_paramedic, &self.service, &self.admin];
        doctors.into_iter().chain(others).chain(&self.viewers).cloned().collect()
    }
}

/// One patient a combination: the doctor's consultation in each stand, each tie, booked by a program or by the doctor,
/// the study old or new.
async fn consultations(world: &mut World<'_>, people: &People) {
    let mut cases = Vec::new();
    for stand in STANDS {
        for tie in TIES {
            for booked_by_doctor in [false, true] {
                for old in [false, true] {
                    cases.push((stand, tie, booked_by_doctor, old));
                }
            }
        }
    }
    let mut uids = vec![String::new(); cases.len()];
    for (number, (_, tie, _, old)) in cases.iter().enumerate() {
        if *old {
            uids[number] = store(world, number, *tie).await;
        }
    }
    world.home.sleep_seconds(2 * DAY);
    let mut places = Vec::new();
    for (number, (_, _, booked_by_doctor, _)) in cases.iter().enumerate() {
        let booker = if *booked_by_doctor { &people.ada } else { &people.service };
        let patient_id = world.patient_id(number);
        places.push(world.book(booker, &people.ada, &patient_id, "H1").await);
    }
    for (number, (_, tie, _, old)) in cases.iter().enumerate() {
        if !*old {
            uids[number] = store(world, number, *tie).await;
        }
        if matches!(tie, Tie::Linked | Tie::Unlinked) {
            assert!(world.link(&people.service, places[number], &uids[number]).await);
        }
        if *tie == Tie::Unlinked {
            world.unlink(places[number], &uids[number]).await;
        }
    }
    for (when, status, wait) in [
        (Stand::Completed31DaysAgo, Completed, 2 * DAY),
        (Stand::Completed29DaysAgo, Completed, 29 * DAY - HOUR),
        (Stand::Completed1HourAgo, Completed, HOUR),
        (Stand::Is(InProgress), InProgress, 0),
        (Stand::Is(Arrived), Arrived, 0),
        (Stand::Is(Cancelled), Cancelled, 0),
        (Stand::Is(NoShow), NoShow, 0),
    ] {
        for (number, (stand, ..)) in cases.iter().enumerate() {
            if *stand == when {
                world.set_status(places[number], status).await;
            }
        }
        world.home.sleep_seconds(wait);
    }
}

async fn store(world: &mut World<'_>, number: usize, tie: Tie) -> String {
    let patient_id = match tie {
        Tie::OtherPatient => format!("{}-other", world.patient_id(number)),
        _ => world.patient_id(number),
    };
    let issuer = if tie == Tie::OtherIssuer { "H2" } else { "H1" };
    world.store(&patient_id, issuer, None).await
}

/// Studies by two paramedics and by a machine, each with each kind of case, young and old.
async fn uploads(world: &mut World<'_>, people: &People) {
    let senders = [Some(&people.first_paramedic), Some(&people.second_paramedic), None];
    for (round, young) in [false, true].into_iter().enumerate() {
        for (who, sender) in senders.into_iter().enumerate() {
            for case in 0..8 {
                let patient_id = world.patient_id(1_000 + round * 100 + who * 10 + case);
                let uid = world.store(&patient_id, "", sender).await;
                let booker = if case % 2 == 0 { &people.first_paramedic } else { &people.service };
                if case < 6 {
                    let place = world.book(booker, &people.ben, &patient_id, "").await;
                    if case % 2 == 1 {
                        assert!(world.link(&people.service, place, &uid).await);
                    }
                    match case / 2 {
                        1 => world.set_status(place, Completed).await,
                        2 => world.set_status(place, Cancelled).await,
                        _ => {}
                    }
                }
            }
        }
        world.home.sleep_seconds(if young { HOUR } else { 25 * HOUR });
    }
}

/// Grants of every kind in every state, for viewers and for a doctor.
async fn grants(world: &mut World<'_>, people: &People) {
    let mut number = 2_000;
    for holder in [&people.viewers[0], &people.carl] {
        for kind in 0..4 {
            for state in 0..4 {
                number += 1;
                let patient_id = world.patient_id(number);
                let uid = world.store(&patient_id, "H1", None).await;
                let what = match kind {
                    0 => Granted::Study(uid),
                    1 => Granted::Patient(patient_id, String::new()),
                    2 => Granted::Patient(patient_id, "H1".to_owned()),
                    _ => Granted::Patient(patient_id, "H2".to_owned()),
                };
                let hours = [None, Some(500), Some(1), Some(500)][state];
                let place = world.grant(holder, what, hours).await;
                if state == 3 {
                    world.revoke_grant(place).await;
                }
            }
        }
    }
    world.grant(&people.viewers[1], Granted::Everything, None).await;
    world.grant(&people.viewers[2], Granted::Everything, Some(1)).await;
    let place = world.grant(&people.viewers[3], Granted::Everything, None).await;
    world.revoke_grant(place).await;
    world.home.sleep_seconds(2 * HOUR);
}

/// Emergency accesses that have run out, were given back, and run.
async fn emergencies(world: &mut World<'_>, people: &People) {
    for state in 0..3 {
        let patient_id = world.patient_id(3_000 + state);
        world.store(&patient_id, "", None).await;
        world.store(&format!("{patient_id}x"), "", None).await;
        let place = world.break_glass(&people.carl, &patient_id, "").await.expect("begun");
        match state {
            0 => world.home.sleep_seconds(HOUR),
            1 => world.end_break_glass(place).await,
            _ => {}
        }
    }
    let fourth = world.patient_id(3_000);
    assert_eq!(world.break_glass(&people.carl, &fourth, "").await, None, "three a day");
}

/// Links to what is still open, to what was cancelled since, taken back, and over.
async fn shares(world: &mut World<'_>, people: &People) {
    for state in 0..4 {
        let patient_id = world.patient_id(4_000 + state);
        let uid = world.store(&patient_id, "", None).await;
        let place = world.book(&people.service, &people.ben, &patient_id, "").await;
        let hours = if state == 3 { 0 } else { 24 };
        let share = world.share(&people.ben, &uid, hours).await.expect("shared");
        match state {
            1 => world.set_status(place, Cancelled).await,
            2 => world.revoke_share(share).await,
            _ => {}
        }
    }
    let foreign = world.facts.studies[0].uid.clone();
    assert_eq!(world.share(&people.ben, &foreign, 24).await, None, "nobody shares what is not theirs");
}

/// Each study on each way, for one of the people. Gives the number of comparisons.
async fn ask_every_way(world: &World<'_>, there: &[StoredInstance], who: &Principal) -> usize {
    let expected = world.expected(who);
    for (level, page) in
        [(Level::Study, 1_000), (Level::Study, 7), (Level::Series, 50), (Level::Instance, 64)]
    {
        assert_eq!(world.found(who, level, page).await, expected, "{who:?} {level:?}");
    }
    let Ok(scope) = who.authorize(Action::ReadStudy) else {
        assert!(expected.is_empty());
        return 4 * world.facts.studies.len();
    };
    let database = &world.home.database;
    for (study, there) in world.facts.studies.iter().zip(there) {
        let may = expected.contains(&study.uid);
        let uid = study_uid(&study.uid);
        let found = database.instances(&scope, &uid, None, None).await.expect("instances");
        assert_eq!(!found.is_empty(), may, "{who:?} {study:?}");
        let (series, sop) = (&there.series_instance_uid, &there.sop_instance_uid);
        let one = database.instances(&scope, &uid, Some(series), Some(sop)).await.expect("instances");
        assert_eq!(!one.is_empty(), may, "{who:?} {study:?}");
        let by_id = database.instance_by_id(&scope, there.id).await.expect("look-up");
        assert_eq!(by_id.is_some(), may, "{who:?} {study:?}");
    }
    4 * world.facts.studies.len() + 3 * there.len()
}

// threats.md rows 39, 42, 44, 64; section 3, test oracle; section 7, C9.
async fn every_relation_on_every_way(home: Home) {
    let mut world = World::new(&home, 0);
    let people = People::of(&world).await;
    consultations(&mut world, &people).await;
    uploads(&mut world, &people).await;
    grants(&mut world, &people).await;
    emergencies(&mut world, &people).await;
    shares(&mut world, &people).await;
    let mut there = Vec::new();
    for study in &world.facts.studies {
        let everything = Scope::internal();
        let uid = study_uid(&study.uid);
        let found = home.database.instances(&everything, &uid, None, None).await.expect("instances");
        there.extend(found.into_iter().next());
    }
    assert_eq!(there.len(), world.facts.studies.len());
    let mut cases = 0;
    for who in people.all() {
        cases += ask_every_way(&world, &there, &who).await;
    }
    let mut seen_by_tokens = 0;
    for place in 0..world.facts.consultations.len() {
        let own = world.viewer_token(place);
        let foreign = Principal { doctor_id: people.carl.doctor_id, ..own.clone() };
        let of_a_service = Principal { role: Role::Service, ..own.clone() };
        for who in [own, foreign, of_a_service] {
            let expected = world.expected(&who);
            seen_by_tokens += expected.len();
            assert_eq!(world.found(&who, Level::Study, 1_000).await, expected, "{who:?}");
            cases += world.facts.studies.len();
        }
    }
    for place in 0..world.facts.shares.len() {
        let holder = world.share_token(place);
        let expected = world.expected(&holder);
        assert_eq!(expected.len(), usize::from(place == 0), "only the first link is live");
        cases += ask_every_way(&world, &there[..20], &holder).await;
    }
    assert!(seen_by_tokens > 20, "tokens open something: {seen_by_tokens}");
    assert!(cases >= 5_000, "{cases} cases");
    eprintln!("{cases} comparisons over {} studies", world.facts.studies.len());
}
