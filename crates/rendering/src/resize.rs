//! Making pictures smaller by exact area averages, and larger by interpolation.

use crate::pipeline::RenderedImage;

/// The size of a picture before and after, and its samples per pixel.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reduction {
    pub width: usize,
    pub height: usize,
    pub channels: usize,
    pub target_width: usize,
    pub target_height: usize,
}

impl Reduction {
    pub fn is_needed(&self) -> bool {
        self.target_width < self.width || self.target_height < self.height
    }

    /// Averages the area behind each target pixel. `fetch` adds row `y`, times a weight, to its second argument; `emit`
    /// takes each averaged row. One pass over the source: columns are summed first, since that vectorises.
    pub fn run(&self, mut fetch: impl FnMut(usize, f32, &mut [f32]), mut emit: impl FnMut(&[f32])) {
        let columns = spans(self.width, self.target_width);
        let rows = spans(self.height, self.target_height);
        let scale = share(self.width, self.target_width) * share(self.height, self.target_height);
        let mut sums = vec![0_f32; self.width * self.channels];
        let mut line = vec![0_f32; self.target_width * self.channels];
        for span in &rows {
            sums.fill(0.0);
            for y in span.first..=span.last {
                fetch(y, span.weight(y), &mut sums);
            }
            for (span, pixel) in columns.iter().zip(line.chunks_exact_mut(self.channels)) {
                for (channel, level) in pixel.iter_mut().enumerate() {
                    let sample = |x: usize| sums[x * self.channels + channel];
                    let mut sum =
                        sample(span.first) * span.first_weight + sample(span.last) * span.last_weight;
                    for x in span.first + 1..span.last {
                        sum += sample(x);
                    }
                    *level = sum * scale;
                }
            }
            emit(&line);
        }
    }
}

/// The source pixels of one axis behind one target pixel. `last_weight` is 0 when there is only one.
struct Span {
    first: usize,
    last: usize,
    first_weight: f32,
    last_weight: f32,
}

impl Span {
    fn weight(&self, index: usize) -> f32 {
        if index == self.first {
            self.first_weight
        } else if index == self.last {
            self.last_weight
        } else {
            1.0
        }
    }
}

/// 1 / the source pixels behind one target pixel.
fn share(source: usize, target: usize) -> f32 {
    (target as f64 / source as f64) as f32
}

fn spans(source: usize, target: usize) -> Vec<Span> {
    let ratio = source as f64 / target as f64;
    let span = |index: usize| {
        let (start, end) = (index as f64 * ratio, ((index + 1) as f64 * ratio).min(source as f64));
        let first = (start as usize).min(source - 1);
        let last = ((end.ceil() as usize).max(1) - 1).clamp(first, source - 1);
        if first == last {
            return Span { first, last, first_weight: (end - start) as f32, last_weight: 0.0 };
        }
        let first_weight = (first + 1) as f64 - start;
        Span { first, last, first_weight: first_weight as f32, last_weight: (end - last as f64) as f32 }
    };
    (0..target).map(span).collect()
}

/// The nearest grey level.
pub(crate) fn to_level(value: f32) -> u8 {
    (value + 0.5).clamp(0.0, 255.0) as u8
}

/// Fits a finished picture to a size: smaller by area, larger by interpolation.
pub(crate) fn resize(picture: &RenderedImage, width: u32, height: u32) -> RenderedImage {
    if (width, height) == (picture.width, picture.height) {
        return picture.clone();
    }
    let channels = usize::from(picture.channels);
    if width >= picture.width && height >= picture.height {
        return enlarge(picture, width, height);
    }
    let row_samples = picture.width as usize * channels;
    let reduction = Reduction {
        width: picture.width as usize,
        height: picture.height as usize,
        channels,
        target_width: width as usize,
        target_height: height as usize,
    };
    let mut samples = Vec::with_capacity(reduction.target_width * reduction.target_height * channels);
    reduction.run(
        |y, weight, sums| {
            let row = &picture.samples[y * row_samples..(y + 1) * row_samples];
            sums.iter_mut().zip(row).for_each(|(sum, level)| *sum += f32::from(*level) * weight);
        },
        |line| samples.extend(line.iter().map(|level| to_level(*level))),
    );
    RenderedImage { width, height, channels: picture.channels, samples }
}

fn enlarge(picture: &RenderedImage, width: u32, height: u32) -> RenderedImage {
    use image::imageops::{FilterType::Triangle, resize};
    let (old_width, old_height) = (picture.width, picture.height);
    let old = picture.samples.clone();
    let samples = if picture.channels == 3 {
        image::RgbImage::from_raw(old_width, old_height, old)
            .map(|old| resize(&old, width, height, Triangle).into_raw())
    } else {
        image::GrayImage::from_raw(old_width, old_height, old)
            .map(|old| resize(&old, width, height, Triangle).into_raw())
    };
    match samples {
        Some(samples) => RenderedImage { width, height, channels: picture.channels, samples },
        None => picture.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gray(width: u32, height: u32, samples: &[u8]) -> RenderedImage {
        RenderedImage { width, height, channels: 1, samples: samples.to_vec() }
    }

    #[test]
    fn areas_are_averaged_exactly() {
        let small = resize(&gray(4, 2, &[0, 100, 20, 40, 100, 200, 60, 80]), 2, 1);
        assert_eq!(small.samples, [100, 50]);
        // 3 to 2: each target pixel is one and a half source pixels wide.
        assert_eq!(resize(&gray(3, 1, &[0, 90, 240]), 2, 1).samples, [30, 190]);
        let flat = resize(&gray(701, 333, &vec![77; 701 * 333]), 512, 100);
        assert!(flat.samples.iter().all(|level| *level == 77));
    }

    #[test]
    fn colours_stay_apart_and_pictures_grow() {
        let colour =
            RenderedImage { width: 2, height: 1, channels: 3, samples: vec![0, 10, 20, 100, 30, 40] };
        assert_eq!(resize(&colour, 1, 1).samples, [50, 20, 30]);
        let large = resize(&gray(1, 2, &[0, 200]), 2, 4);
        assert_eq!((large.width, large.height, large.samples.len()), (2, 4, 8));
    }
}
