//! Random histories of assigning, linking, cancelling, granting, taking back and waiting: after each step somebody's
//! search must find what the naive evaluator says.

use database::Level;
use model::{
    access::{Principal, Role},
    clinical::ConsultationStatus::{Arrived, Booked, Cancelled, Completed, InProgress, NoShow, Proposed},
};
use tests::random::Random;

use super::{oracle::Granted, world::World};
use crate::support::Home;

on_both_engines!(
    random_histories,
    #[ignore = "10,000 histories take many minutes"]
    ten_thousand_random_histories,
);

const HOUR: i64 = 3_600;
const STEPS: usize = 12;

struct Cast {
    doctors: Vec<Principal>,
    paramedics: Vec<Principal>,
    viewer: Principal,
    service: Principal,
}

// threats.md rows 42, 44, 64; section 3, test oracle.
async fn random_histories(home: Home) {
    run(&home, 150).await;
}

async fn ten_thousand_random_histories(home: Home) {
    run(&home, 10_000).await;
}

async fn run(home: &Home, histories: usize) {
    let mut random = Random::from_environment("histories of access");
    let mut seen = 0;
    for number in 0..histories {
        let mut world = World::new(home, number);
        let cast = Cast {
            doctors: vec![world.account(Role::Doctor).await, world.account(Role::Doctor).await],
            paramedics: vec![world.account(Role::Paramedic).await, world.account(Role::Paramedic).await],
            viewer: world.account(Role::Viewer).await,
            service: world.account(Role::Service).await,
        };
        for _ in 0..STEPS {
            step(&mut world, &cast, &mut random).await;
            let who = anybody(&world, &cast, &mut random);
            seen += compare(&world, &who, Level::Study).await;
        }
        for who in cast.doctors.iter().chain(&cast.paramedics).chain([&cast.viewer]) {
            let level = [Level::Study, Level::Series, Level::Instance][random.below(3)];
            seen += compare(&world, who, level).await;
        }
    }
    assert!(seen > histories, "histories in which somebody sees something: {seen}");
}

async fn compare(world: &World<'_>, who: &Principal, level: Level) -> usize {
    let expected = world.expected(who);
    let found = world.found(who, level, 100).await;
    assert_eq!(found, expected, "{who:?} at {}: {:#?}", world.now(), world.facts);
    expected.len()
}

fn anybody(world: &World<'_>, cast: &Cast, random: &mut Random) -> Principal {
    match random.below(8) {
        0 | 1 => cast.doctors[0].clone(),
        2 => cast.doctors[1].clone(),
        3 => cast.paramedics[random.below(2)].clone(),
        4 => cast.viewer.clone(),
        5 if !world.facts.shares.is_empty() => world.share_token(random.below(world.facts.shares.len())),
        _ if !world.facts.consultations.is_empty() => {
            world.viewer_token(random.below(world.facts.consultations.len()))
        }
        _ => cast.doctors[1].clone(),
    }
}

async fn step(world: &mut World<'_>, cast: &Cast, random: &mut Random) {
    let patient_id = world.patient_id(random.below(3));
    let issuer = ["", "H1", "H2"][random.below(3)];
    let doctor = cast.doctors[random.below(2)].clone();
    let (studies, consultations) = (world.facts.studies.len(), world.facts.consultations.len());
    match random.below(14) {
        0 | 1 => {
            let sender = [None, Some(&cast.paramedics[0]), Some(&cast.paramedics[1])][random.below(3)];
            world.store(&patient_id, issuer, sender).await;
        }
        2 | 3 => {
            let booker = [&cast.service, &doctor, &cast.paramedics[0]][random.below(3)];
            let status = if random.below(4) == 0 { Proposed } else { Booked };
            world.make(booker, &doctor, (&patient_id, issuer), status).await;
        }
        4 | 5 if studies > 0 && consultations > 0 => {
            let uid = world.facts.studies[random.below(studies)].uid.clone();
            let place = random.below(consultations);
            let own = world.facts.consultations[place].doctor_id == doctor.doctor_id.expect("a doctor");
            let who = if own && random.below(2) == 0 { &doctor } else { &cast.service };
            world.link(who, place, &uid).await;
        }
        6 if studies > 0 && consultations > 0 => {
            let uid = world.facts.studies[random.below(studies)].uid.clone();
            world.unlink(random.below(consultations), &uid).await;
        }
        7 | 8 if consultations > 0 => {
            let status = [Booked, Arrived, InProgress, Completed, Cancelled, NoShow][random.below(6)];
            world.set_status(random.below(consultations), status).await;
        }
        9..=12 => change_rights(world, cast, random, &patient_id, issuer).await,
        _ => {
            let hours = [1, 10, 25, 24 * 8, 24 * 31][random.below(5)];
            world.home.sleep_seconds(hours * HOUR);
        }
    }
}

/// Grants, emergencies and share links come and go.
async fn change_rights(
    world: &mut World<'_>,
    cast: &Cast,
    random: &mut Random,
    patient_id: &str,
    issuer: &str,
) {
    let doctor = cast.doctors[random.below(2)].clone();
    let studies = world.facts.studies.len();
    match random.below(4) {
        0 => {
            let holder = if random.below(2) == 0 { &cast.viewer } else { &doctor };
            let what = match random.below(3) {
                0 if studies > 0 => Granted::Study(world.facts.studies[random.below(studies)].uid.clone()),
                _ => Granted::Patient(patient_id.to_owned(), issuer.to_owned()),
            };
            let hours = [None, Some(1), Some(48)][random.below(3)];
            world.grant(holder, what, hours).await;
        }
        1 if !world.facts.grants.is_empty() => {
            world.revoke_grant(random.below(world.facts.grants.len())).await;
        }
        2 => match world.facts.emergencies.len() {
            0 => {
                world.break_glass(&doctor, patient_id, issuer).await;
            }
            running => world.end_break_glass(random.below(running)).await,
        },
        _ if studies > 0 => {
            let uid = world.facts.studies[random.below(studies)].uid.clone();
            match world.facts.shares.len() {
                shares if shares > 1 => world.revoke_share(random.below(shares)).await,
                _ => {
                    world.share(&doctor, &uid, 24).await;
                }
            }
        }
        _ => {}
    }
}
