//! Times that nobody can take twice: bookings, holds, and what moves them.

use chrono::TimeDelta;
use database::{
    BookingError, Calendar, ChangeConsultation, ChangeError, DatabaseError, DoctorChanges, NewConsultation,
    NewHold, Span,
};
use model::{
    access::Scope,
    clinical::{Consultation, ConsultationCommand, ConsultationStatus},
};
use tests::random::Random;
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::{
    consultations::{booking, doctor},
    support::{Home, START, actor, at},
};

on_both_engines!(
    of_a_hundred_racers_for_a_doctor_one_wins,
    of_a_hundred_racers_for_a_patient_one_wins,
    a_time_is_free_again_when_its_consultation_ends_or_moves,
    a_doctor_who_takes_no_consultations_is_given_none,
    a_hold_keeps_a_time_until_it_is_used_given_back_or_over,
    an_account_holds_no_more_than_it_may_whatever_it_asks_for_at_once,
    a_patient_without_issuer_is_the_same_under_each,
    the_database_itself_refuses_what_overlaps,
    whatever_is_booked_in_whatever_order_nothing_overlaps_and_nothing_free_is_refused,
);

const RACERS: usize = 100;

fn appointment(doctor_id: Uuid, patient_id: &str, minute: i64, length: i64) -> NewConsultation {
    let starts = START + 3_600 + minute * 60;
    NewConsultation {
        scheduled_at: at(starts),
        ends_at: Some(at(starts + length * 60)),
        ..booking(doctor_id, patient_id)
    }
}

async fn take(home: &Home, new: NewConsultation) -> Result<Consultation, BookingError> {
    home.database.create_consultation(&Scope::internal(), new, &actor()).await
}

/// All at once; how many won and whose calendar refused the others.
async fn race(home: &Home, bookings: Vec<NewConsultation>) -> (usize, Vec<Calendar>) {
    let mut racers = JoinSet::new();
    for new in bookings {
        let database = home.database.clone();
        racers.spawn(async move {
            loop {
                match database.create_consultation(&Scope::internal(), new.clone(), &actor()).await {
                    // What a client does with 503: a hundred wait for sixteen connections.
                    Err(BookingError::Database(DatabaseError::Busy)) => {}
                    other => return other,
                }
            }
        });
    }
    let (mut won, mut refused) = (0, Vec::new());
    while let Some(result) = racers.join_next().await {
        match result.expect("a racer") {
            Ok(_) => won += 1,
            Err(BookingError::Taken(whose)) => refused.push(whose),
            Err(other) => panic!("{other}"),
        }
    }
    (won, refused)
}

// threats.md row 45.
async fn of_a_hundred_racers_for_a_doctor_one_wins(home: Home) {
    let ann = doctor(&home).await;
    let bookings = (0..RACERS).map(|racer| {
        let minute = i64::try_from(racer % 20).expect("small");
        appointment(ann, &format!("P{racer}"), minute, 30)
    });
    let (won, refused) = race(&home, bookings.collect()).await;
    assert_eq!((won, refused.len()), (1, RACERS - 1));
    assert!(refused.iter().all(|whose| *whose == Calendar::Doctor));
}

async fn of_a_hundred_racers_for_a_patient_one_wins(home: Home) {
    let mut doctors = Vec::new();
    for _ in 0..10 {
        doctors.push(doctor(&home).await);
    }
    let bookings = (0..RACERS).map(|racer| appointment(doctors[racer % 10], "P1", 0, 30));
    let (won, refused) = race(&home, bookings.collect()).await;
    assert_eq!((won, refused.len()), (1, RACERS - 1));
    let of_patient = refused.iter().filter(|whose| **whose == Calendar::Patient).count();
    assert!(of_patient >= RACERS - 10, "only the winner's doctor was taken: {of_patient}");
}

async fn change(home: &Home, id: Uuid, change: ChangeConsultation) -> Result<Consultation, ChangeError> {
    home.database.change_consultation(&Scope::internal(), id, change, &actor()).await
}

fn moved(minute: i64) -> ChangeConsultation {
    let starts_at = at(START + 3_600 + minute * 60);
    ChangeConsultation {
        time: Some((starts_at, None)),
        ..ChangeConsultation::new(ConsultationCommand::Reschedule)
    }
}

async fn a_time_is_free_again_when_its_consultation_ends_or_moves(home: Home) {
    let (ann, bob) = (doctor(&home).await, doctor(&home).await);
    let first = take(&home, appointment(ann, "P1", 0, 30)).await.expect("booked");
    let second = take(&home, appointment(ann, "P2", 30, 30)).await.expect("it begins as the first one ends");
    let onto = change(&home, second.id, moved(29)).await;
    assert!(matches!(onto, Err(ChangeError::Taken(Calendar::Doctor))), "{onto:?}");
    let moved_on = change(&home, second.id, moved(40)).await.expect("within its own time and on");
    assert_eq!(moved_on.ends_at, Some(at(START + 3_600 + 70 * 60)), "as long as before");
    take(&home, appointment(ann, "P3", 30, 10)).await.expect("what it left is free");
    take(&home, appointment(bob, "P4", 0, 30)).await.expect("another doctor");
    let to_bob =
        ChangeConsultation { doctor_id: Some(bob), ..ChangeConsultation::new(ConsultationCommand::Reassign) };
    let taken = change(&home, first.id, to_bob.clone()).await;
    assert!(matches!(taken, Err(ChangeError::Taken(Calendar::Doctor))));
    change(&home, second.id, to_bob).await.expect("bob is free then");
    let proposed = NewConsultation { status: ConsultationStatus::Proposed, ..appointment(ann, "P5", 0, 30) };
    let proposed = take(&home, proposed).await.expect("what is only proposed takes nothing");
    let confirm = ChangeConsultation::new(ConsultationCommand::Confirm);
    let taken = change(&home, proposed.id, confirm.clone()).await;
    assert!(matches!(taken, Err(ChangeError::Taken(Calendar::Doctor))));
    for command in [ConsultationCommand::Start, ConsultationCommand::Complete] {
        change(&home, first.id, ChangeConsultation::new(command)).await.expect("done");
    }
    change(&home, proposed.id, confirm).await.expect("the first one is over");
    let history =
        home.database.consultation_history(&Scope::internal(), first.id).await.expect("read").expect("there");
    let steps: Vec<_> = history.iter().map(|step| (step.version, step.command.as_str())).collect();
    assert_eq!(steps, [(1, "book"), (2, "start"), (3, "complete")]);
    let walk_in = NewConsultation { status: ConsultationStatus::InProgress, ..booking(ann, "P6") };
    take(&home, walk_in).await.expect("emergencies come between");
}

async fn a_doctor_who_takes_no_consultations_is_given_none(home: Home) {
    let (ann, bob) = (doctor(&home).await, doctor(&home).await);
    let proposed = NewConsultation { status: ConsultationStatus::Proposed, ..appointment(ann, "P1", 0, 30) };
    let proposed = take(&home, proposed).await.expect("proposed");
    let booked = take(&home, appointment(ann, "P2", 60, 30)).await.expect("booked");
    let of_bob = take(&home, appointment(bob, "P3", 0, 30)).await.expect("booked");
    let active = async |version, active| {
        let changes = DoctorChanges { active: Some(active), ..DoctorChanges::default() };
        home.database.update_doctor(ann, version, changes, &actor()).await.expect("changed");
    };
    let confirm = ChangeConsultation::new(ConsultationCommand::Confirm);
    let to_ann =
        ChangeConsultation { doctor_id: Some(ann), ..ChangeConsultation::new(ConsultationCommand::Reassign) };
    active(1, false).await;
    for (id, asked) in [(proposed.id, confirm.clone()), (booked.id, moved(90)), (of_bob.id, to_ann)] {
        let refused = change(&home, id, asked.clone()).await;
        assert!(matches!(refused, Err(ChangeError::DoctorInactive)), "{asked:?}: {refused:?}");
    }
    for command in [ConsultationCommand::Arrive, ConsultationCommand::Cancel] {
        change(&home, booked.id, ChangeConsultation::new(command)).await.expect("what is booked goes on");
    }
    active(2, true).await;
    change(&home, proposed.id, confirm).await.expect("the doctor is back");
}

async fn a_hold_keeps_a_time_until_it_is_used_given_back_or_over(home: Home) {
    let ann = doctor(&home).await;
    let span = Span { starts_at: at(START + 3_600), ends_at: at(START + 5_400) };
    let new = NewHold { doctor_id: ann, span, lasts: TimeDelta::minutes(5) };
    let (mine, theirs) = (Uuid::now_v7(), Uuid::now_v7());
    let acting = |user| database::AuditActor { user_id: Some(user), ..actor() };
    let hold = async |user| home.database.create_hold(&Scope::internal(), new, 2, &acting(user)).await;
    let book = async |user, hold_id| {
        let new = NewConsultation { hold_id, ..appointment(ann, "P1", 0, 30) };
        home.database.create_consultation(&Scope::internal(), new, &acting(user)).await
    };
    let held = hold(mine).await.expect("held");
    assert!(matches!(hold(theirs).await, Err(BookingError::Taken(Calendar::Doctor))));
    assert!(matches!(book(theirs, None).await, Err(BookingError::Taken(Calendar::Doctor))));
    assert!(matches!(book(theirs, Some(held.id)).await, Err(BookingError::HoldGone)));
    assert!(!home.database.release_hold(held.id, &acting(theirs)).await.expect("an answer"));
    assert!(home.database.release_hold(held.id, &acting(mine)).await.expect("an answer"));
    let held = hold(theirs).await.expect("it was given back");
    home.sleep_seconds(301);
    assert!(matches!(book(theirs, Some(held.id)).await, Err(BookingError::HoldGone)), "it is over");
    let held = hold(mine).await.expect("released by itself");
    let bob = doctor(&home).await;
    let walk_in = NewConsultation {
        status: ConsultationStatus::InProgress,
        scheduled_at: span.starts_at,
        ..booking(bob, "P2")
    };
    take(&home, walk_in).await.expect("begun");
    let busy = home.database.busy_spans(&[ann, bob], span, TimeDelta::minutes(30)).await.expect("read");
    assert_eq!(busy, [(ann, span), (bob, span)], "all that were asked about, each its own");
    let busy = home.database.busy_spans(&[ann], span, TimeDelta::minutes(30)).await.expect("read");
    assert_eq!(busy, [(ann, span)], "and nobody else");
    for doctor in [ann, bob] {
        let calendar =
            home.database.doctor_calendar(doctor, span, TimeDelta::minutes(30)).await.expect("read");
        let (profile, schedule, taken) = calendar.expect("a doctor");
        assert_eq!(Some(profile), home.database.doctor(doctor).await.expect("read"));
        assert_eq!((schedule, taken), (home.database.schedule(doctor).await.expect("read"), vec![span]));
    }
    let nobody = home.database.doctor_calendar(Uuid::now_v7(), span, TimeDelta::minutes(30)).await;
    assert_eq!(nobody.expect("read"), None);
    book(mine, Some(held.id)).await.expect("booked in its place");
    assert!(matches!(book(mine, Some(held.id)).await, Err(BookingError::HoldGone)));
}

async fn an_account_holds_no_more_than_it_may_whatever_it_asks_for_at_once(home: Home) {
    let span = Span { starts_at: at(START + 3_600), ends_at: at(START + 5_400) };
    let acting = database::AuditActor { user_id: Some(Uuid::now_v7()), ..actor() };
    let mut racers = JoinSet::new();
    for _ in 0..8 {
        let new = NewHold { doctor_id: doctor(&home).await, span, lasts: TimeDelta::minutes(5) };
        let (database, acting) = (home.database.clone(), acting.clone());
        racers.spawn(async move { database.create_hold(&Scope::internal(), new, 2, &acting).await });
    }
    let mut held = 0;
    while let Some(result) = racers.join_next().await {
        match result.expect("a racer") {
            Ok(_) => held += 1,
            Err(BookingError::Database(DatabaseError::Conflict(_))) => {}
            Err(other) => panic!("{other}"),
        }
    }
    assert_eq!(held, 2);
}

async fn a_patient_without_issuer_is_the_same_under_each(home: Home) {
    let mut doctors = Vec::new();
    for _ in 0..4 {
        doctors.push(doctor(&home).await);
    }
    let of = |doctor_id, issuer: &str, minute| NewConsultation {
        issuer_of_patient_id: issuer.to_owned(),
        ..appointment(doctor_id, "P-1001", minute, 30)
    };
    let taken = |result: &Result<Consultation, BookingError>| {
        matches!(result, Err(BookingError::Taken(Calendar::Patient)))
    };
    take(&home, of(doctors[0], "HOSP", 0)).await.expect("booked");
    take(&home, of(doctors[1], "CLINIC", 0)).await.expect("another site's patient of the same number");
    let without = take(&home, of(doctors[2], "", 0)).await;
    assert!(taken(&without), "{without:?}");
    let again = take(&home, of(doctors[2], "HOSP", 15)).await;
    assert!(taken(&again), "{again:?}");
    take(&home, of(doctors[2], "", 60)).await.expect("at another time");
    let with = take(&home, of(doctors[3], "HOSP", 75)).await;
    assert!(taken(&with), "{with:?}");
    let same = take(&home, of(doctors[3], "", 75)).await;
    assert!(taken(&same), "{same:?}");
}

/// What no code asked about is refused all the same.
async fn the_database_itself_refuses_what_overlaps(home: Home) {
    let ann = doctor(&home).await;
    take(&home, appointment(ann, "P1", 0, 30)).await.expect("booked");
    let id = Uuid::now_v7();
    let on_sqlite = home.config.url.is_empty();
    let literal = |id: Uuid| if on_sqlite { format!("x'{}'", id.simple()) } else { format!("'{id}'") };
    let starts = at(START + 3_600 + 600).to_rfc3339();
    let ends = at(START + 3_600 + 2_400).to_rfc3339();
    let (doctor_id, id) = (literal(ann), literal(id));
    let refused = home
        .try_sql(&format!(
            "INSERT INTO slot (id, doctor_id, starts_at, ends_at) VALUES ({id}, {doctor_id}, '{starts}', '{ends}')"
        ))
        .await;
    let refused = refused.expect_err("refused").to_string();
    assert!(refused.contains("slot_of_doctor"), "{refused}");
}

/// Beside a list that is gone through from end to end.
async fn whatever_is_booked_in_whatever_order_nothing_overlaps_and_nothing_free_is_refused(home: Home) {
    let mut random = Random::from_environment("bookings");
    let doctors = [doctor(&home).await, doctor(&home).await];
    let mut taken: Vec<(usize, i64, i64)> = Vec::new();
    for number in 0..200 {
        let mut minutes = |bound| i64::try_from(random.below(bound)).expect("few");
        let starts = minutes(600);
        let ends = starts + 5 + minutes(40);
        let whose = random.below(doctors.len());
        let free = taken.iter().all(|&(doctor, from, to)| doctor != whose || ends <= from || to <= starts);
        let patient = format!("P-{number}");
        match take(&home, appointment(doctors[whose], &patient, starts, ends - starts)).await {
            Ok(_) => assert!(free, "{starts} to {ends} was booked over something of {taken:?}"),
            Err(BookingError::Taken(Calendar::Doctor)) => {
                assert!(!free, "{starts} to {ends} was refused beside {taken:?}");
            }
            Err(other) => panic!("{other}"),
        }
        if free {
            taken.push((whose, starts, ends));
        }
    }
    assert!(taken.len() > 20, "only {} were free", taken.len());
}
