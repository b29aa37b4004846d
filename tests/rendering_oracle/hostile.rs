//! Damaged frames and absurd modules: an error or a picture, never a panic, and never slow.

use std::time::{Duration, Instant};

use model::{pixel::PixelModule, transfer_syntax as ts};
use rendering::{
    ImageFormat, Output, RenderError, RenderOptions,
    wire::{Request, Task, decode_response, encode_request, handle_request},
};
use tests::{fixtures, random::Random};

use crate::instance::{Instance, read_instance};

const FRAME_LENGTH_MAX_BYTES: usize = 64 << 10;
const DAMAGES: usize = 40;
/// Time for one frame, unoptimised and on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);

/// Codecs of others may panic: they run in the decoder process, and a panic is an answer there. JPEG 2000 is left out
/// here because its decoder may do worse.
fn may_panic(syntax: &str) -> Option<bool> {
    match syntax {
        ts::JPEG_2000 | ts::JPEG_2000_LOSSLESS | ts::HTJ2K | ts::HTJ2K_LOSSLESS | ts::HTJ2K_LOSSLESS_RPCL => {
            None
        }
        ts::JPEG_BASELINE | ts::JPEG_EXTENDED | ts::JPEG_LOSSLESS | ts::JPEG_LOSSLESS_SV1 => Some(true),
        _ => Some(false),
    }
}

fn check(name: &str, instance: &Instance, module: PixelModule, frame: &[u8]) {
    let Some(may_panic) = may_panic(instance.transfer_syntax_uid.as_str()) else { return };
    let output = Output { options: RenderOptions::fit(64), format: ImageFormat::Jpeg { quality: 85 } };
    let request = Request {
        module,
        transfer_syntax_uid: instance.transfer_syntax_uid.clone(),
        task: Task::Render(vec![output]),
    };
    let started = Instant::now();
    let answer = decode_response(&handle_request(&encode_request(&request, frame).expect("a message")));
    assert!(started.elapsed() < PATIENCE, "{name} took {:?}", started.elapsed());
    assert!(may_panic || answer != Err(RenderError::Panicked), "{name}: {:?}", request.module);
}

fn small_instances() -> impl Iterator<Item = (String, Instance)> {
    fixtures::own().into_iter().filter_map(|fixture| {
        let instance = read_instance(&fixture.read())?;
        let small = instance.frames.first().is_some_and(|frame| frame.len() <= FRAME_LENGTH_MAX_BYTES);
        small.then_some((fixture.name, instance))
    })
}

#[test]
fn damaged_frames_end_in_an_answer() {
    let mut random = Random::new(17);
    for (name, instance) in small_instances() {
        for _ in 0..DAMAGES {
            let mut frame = instance.frames[0].clone();
            if random.below(4) == 0 {
                frame.truncate(random.below(frame.len() + 1));
            }
            for _ in 0..random.below(8) {
                if !frame.is_empty() {
                    let at = random.below(frame.len());
                    frame[at] = random.below(256) as u8;
                }
            }
            check(&name, &instance, instance.module.clone(), &frame);
        }
    }
}

#[test]
fn absurd_modules_end_in_an_answer() {
    const NUMBERS: [u32; 9] = [0, 1, 7, 8, 15, 16, 64, 255, 65_535];
    let mut random = Random::new(27);
    for (name, instance) in small_instances() {
        for _ in 0..DAMAGES {
            let mut module = instance.module.clone();
            for _ in 0..=random.below(3) {
                let number = NUMBERS[random.below(NUMBERS.len())];
                match random.below(9) {
                    0 => module.rows = number.wrapping_mul(1 + random.below(70_000) as u32),
                    1 => module.columns = number,
                    2 => module.samples_per_pixel = number as u16,
                    3 => module.bits_allocated = number as u16,
                    4 => module.bits_stored = number as u16,
                    5 => module.high_bit = number as u16,
                    6 => module.planar_configuration = number as u16,
                    7 => module.signed = !module.signed,
                    _ => module.pixel_padding = Some((i32::MIN, number.cast_signed())),
                }
            }
            check(&name, &instance, module, &instance.frames[0]);
        }
    }
}
