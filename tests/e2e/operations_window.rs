//! The asynchronous operations window (PS3.7 D.3.3.3) at the door: what is answered is kept, whatever is outstanding.

use tests::{
    ledger::Ledger,
    platform::{Options, Platform},
    scu::Dialogue,
    synthetic::{CR_IMAGE_STORAGE, Synthetic},
};

const EXPLICIT: &str = model::transfer_syntax::EXPLICIT_VR_LITTLE_ENDIAN;
/// What is asked for, and what the default of `pacs.operations_max` allows.
const OUTSTANDING: usize = 8;

/// An association on which eight operations may be outstanding.
fn open(platform: &Platform) -> Dialogue {
    let window = (0x53, vec![0, OUTSTANDING as u8, 0, 1]);
    let dialogue = Dialogue::open(platform.dicom(), "SENDER", &[(CR_IMAGE_STORAGE, EXPLICIT)], &[window]);
    let answer = [0x53, 0, 0, 4, 0, OUTSTANDING as u8, 0, 1];
    assert!(dialogue.accept.windows(answer.len()).any(|bytes| bytes == answer), "no window is agreed on");
    dialogue
}

/// C-STORE-RQ (PS3.7 9.3.1.1) whose Message ID is the place of the instance.
fn store_request(place: usize, instance: &Synthetic) -> Vec<u8> {
    let padded = |uid: &str| format!("{uid}{}", "\0".repeat(uid.len() % 2)).into_bytes();
    let command = [
        (0x0002, padded(CR_IMAGE_STORAGE)),
        (0x0100, vec![0x01, 0x00]),
        (0x0110, (place as u16).to_le_bytes().to_vec()),
        (0x0700, vec![0, 0]),
        (0x0800, vec![0, 0]),
        (0x1000, padded(&instance.sop_instance_uid)),
    ];
    Dialogue::encode(1, &command, Some(&instance.data_set()))
}

/// Keeps eight outstanding until so many are answered: their places.
fn send_until(dialogue: &mut Dialogue, instances: &[Synthetic], answers: usize) -> Vec<usize> {
    let (mut sent, mut answered) = (0, Vec::new());
    while answered.len() < answers {
        while sent < instances.len() && sent - answered.len() < OUTSTANDING {
            dialogue.write(&store_request(sent, &instances[sent]));
            sent += 1;
        }
        let response = dialogue.message();
        assert_eq!((response.number(0x0100), response.status()), (Some(0x8001), 0));
        answered.push(usize::from(response.number(0x0120).expect("Message ID Being Responded To")));
    }
    answered
}

#[tokio::test]
async fn everything_that_is_outstanding_is_answered_and_stored() {
    let platform = Platform::start(Options::default()).await;
    let viewer = platform.user("viewer", "viewer").await;
    let instances: Vec<Synthetic> = (0..40).map(|_| Synthetic::cr("P1", 64, 64)).collect();
    let mut dialogue = open(&platform);
    let mut answered = send_until(&mut dialogue, &instances, instances.len());
    dialogue.release();
    answered.sort_unstable();
    assert_eq!(answered, (0..instances.len()).collect::<Vec<_>>(), "each once");
    let ledger = Ledger::default();
    for instance in &instances {
        ledger.acknowledge_synthetic(instance, &instance.data_set());
    }
    ledger.check(&viewer, "after eight at once").await;
}

// threats.md row 23: what was answered is there.
#[tokio::test]
async fn what_was_answered_is_there_after_a_kill_with_others_outstanding() {
    let mut platform = Platform::start(Options::default()).await;
    let viewer = platform.user("viewer", "viewer").await;
    let instances: Vec<Synthetic> = (0..40).map(|_| Synthetic::cr("P1", 64, 64)).collect();
    let mut dialogue = open(&platform);
    let answered = send_until(&mut dialogue, &instances, 12);
    platform.kill();
    platform.restart().await;
    let ledger = Ledger::default();
    for place in answered {
        ledger.acknowledge_synthetic(&instances[place], &instances[place].data_set());
    }
    ledger.check(&viewer.moved_to(&platform), "after a kill").await;
}
