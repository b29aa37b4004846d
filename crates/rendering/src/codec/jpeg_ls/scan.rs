//! ITU-T T.87 A.2 to A.7: the lines of a scan, in regular and run mode.

use super::{
    bits::BitReader,
    coding::{Coding, Context, RunContext},
};
use crate::error::RenderError;

pub(super) const CONTEXTS: usize = 365;
/// A.2.1: the order of run lengths.
pub(super) const J: [u32; 32] =
    [0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 9, 10, 11, 12, 13, 14, 15];

/// One component's current and previous line. Both have a sample before the first and one after the last.
pub(super) struct Lane {
    pub previous: Vec<i32>,
    pub current: Vec<i32>,
    pub run_index: usize,
}

/// The neighbours of a sample (A.3.1): left, above, above left, above right.
#[derive(Clone, Copy)]
pub(super) struct Neighbours {
    pub a: i32,
    b: i32,
    c: i32,
    d: i32,
}

impl Neighbours {
    /// A.4.1: the edge-detecting predictor.
    pub fn predict(self) -> i32 {
        let (least, most) = (self.a.min(self.b), self.a.max(self.b));
        if self.c >= most {
            least
        } else if self.c <= least {
            most
        } else {
            self.a + self.b - self.c
        }
    }

    /// A.3.4 without the sign merged: -364 to 364; 0 when all gradients are flat.
    pub fn context(self, coding: &Coding) -> i32 {
        let (first, second, third) = (self.d - self.b, self.b - self.c, self.c - self.a);
        81 * coding.quantize(first) + 9 * coding.quantize(second) + coding.quantize(third)
    }
}

impl Lane {
    pub fn new(columns: usize) -> Self {
        Self { previous: vec![0; columns + 2], current: vec![0; columns + 2], run_index: 0 }
    }

    pub fn neighbours(&self, x: usize) -> Neighbours {
        Neighbours {
            a: self.current[x - 1],
            b: self.previous[x],
            c: self.previous[x - 1],
            d: self.previous[x + 1],
        }
    }

    pub fn begin(&mut self, columns: usize) {
        self.previous[columns + 1] = self.previous[columns];
        self.current[0] = self.previous[1];
    }
}

/// Decodes the lines of one scan.
pub(super) struct ScanDecoder<'a> {
    coding: Coding,
    contexts: Vec<Context>,
    run_contexts: [RunContext; 2],
    lanes: Vec<Lane>,
    columns: usize,
    bits: BitReader<'a>,
}

impl<'a> ScanDecoder<'a> {
    pub fn new(coding: Coding, columns: usize, components: usize, bits: BitReader<'a>) -> Self {
        Self {
            coding,
            contexts: vec![Context::new(&coding); CONTEXTS],
            run_contexts: [RunContext::new(&coding, 0), RunContext::new(&coding, 1)],
            lanes: (0..components).map(|_| Lane::new(columns)).collect(),
            columns,
            bits,
        }
    }

    /// The samples of a component in the line just decoded.
    pub fn line(&self, lane: usize) -> &[i32] {
        &self.lanes[lane].current[1..=self.columns]
    }

    pub fn next_row(&mut self) {
        for lane in &mut self.lanes {
            std::mem::swap(&mut lane.previous, &mut lane.current);
        }
    }

    pub fn bytes_used(&self) -> usize {
        self.bits.bytes_used()
    }

    /// One line of each component, one after the other.
    pub fn decode_lines(&mut self) -> Result<(), RenderError> {
        for index in 0..self.lanes.len() {
            self.lanes[index].begin(self.columns);
            let mut x = 1;
            while x <= self.columns {
                let near = self.lanes[index].neighbours(x);
                let context = near.context(&self.coding);
                if context == 0 {
                    x = self.decode_run(index, x, near.a)?;
                } else {
                    self.lanes[index].current[x] = self.decode_regular(near, context)?;
                    x += 1;
                }
            }
        }
        Ok(())
    }

    /// One line whose components are woven sample by sample: run mode needs all of them flat.
    pub fn decode_line_by_sample(&mut self) -> Result<(), RenderError> {
        for lane in &mut self.lanes {
            lane.begin(self.columns);
        }
        let mut x = 1;
        while x <= self.columns {
            let flat = self.lanes.iter().all(|lane| lane.neighbours(x).context(&self.coding) == 0);
            if flat {
                x = self.decode_woven_run(x)?;
                continue;
            }
            for index in 0..self.lanes.len() {
                let near = self.lanes[index].neighbours(x);
                let context = near.context(&self.coding);
                self.lanes[index].current[x] = self.decode_regular(near, context)?;
            }
            x += 1;
        }
        Ok(())
    }

    fn decode_regular(&mut self, near: Neighbours, context: i32) -> Result<i32, RenderError> {
        let sign = if context < 0 { -1 } else { 1 };
        let state = &mut self.contexts[context.unsigned_abs() as usize];
        let predicted = (near.predict() + sign * state.correction()).clamp(0, self.coding.maximum);
        let error = state.read_error(&self.coding, &mut self.bits)?;
        Ok(self.coding.reconstruct(predicted, sign * error))
    }

    /// A.7.1: the length of a run; true when it was broken before the line's end.
    fn read_run_length(&mut self, lane: usize, left: usize) -> Result<(usize, bool), RenderError> {
        let mut length = 0;
        let mut run_index = self.lanes[lane].run_index;
        let broken = loop {
            if self.bits.read(1)? == 0 {
                length += self.bits.read(J[run_index])? as usize;
                if length > left {
                    return Err(super::malformed("a run goes past the line's end"));
                }
                // A broken run must be followed by a sample of this line.
                break length < left;
            }
            let whole = 1 << J[run_index];
            if whole <= left - length {
                run_index = (run_index + 1).min(31);
            }
            length = (length + whole).min(left);
            if length == left {
                break false;
            }
        };
        self.lanes[lane].run_index = run_index;
        Ok((length, broken))
    }

    fn decode_run(&mut self, index: usize, x: usize, value: i32) -> Result<usize, RenderError> {
        let (length, broken) = self.read_run_length(index, self.columns + 1 - x)?;
        self.lanes[index].current[x..x + length].fill(value);
        let x = x + length;
        if !broken {
            return Ok(x);
        }
        let (above, run_index) = (self.lanes[index].previous[x], self.lanes[index].run_index);
        let same = (value - above).abs() <= self.coding.near;
        self.lanes[index].current[x] = self.read_interruption(run_index, value, above, same)?;
        self.lanes[index].run_index = run_index.saturating_sub(1);
        Ok(x + 1)
    }

    fn decode_woven_run(&mut self, x: usize) -> Result<usize, RenderError> {
        let (length, broken) = self.read_run_length(0, self.columns + 1 - x)?;
        for lane in &mut self.lanes {
            let value = lane.current[x - 1];
            lane.current[x..x + length].fill(value);
        }
        let x = x + length;
        if !broken {
            return Ok(x);
        }
        // All components share the first one's run index.
        let run_index = self.lanes[0].run_index;
        for index in 0..self.lanes.len() {
            let (left, above) = (self.lanes[index].current[x - 1], self.lanes[index].previous[x]);
            self.lanes[index].current[x] = self.read_interruption(run_index, left, above, false)?;
        }
        self.lanes[0].run_index = run_index.saturating_sub(1);
        Ok(x + 1)
    }

    /// A.7.2: the sample that broke a run.
    fn read_interruption(
        &mut self,
        run_index: usize,
        left: i32,
        above: i32,
        same: bool,
    ) -> Result<i32, RenderError> {
        let limit = self.coding.limit - J[run_index] - 1;
        let error = self.run_contexts[usize::from(same)].read_error(&self.coding, &mut self.bits, limit)?;
        if same {
            return Ok(self.coding.reconstruct(left, error));
        }
        let sign = if above < left { -1 } else { 1 };
        Ok(self.coding.reconstruct(above, error * sign))
    }
}
