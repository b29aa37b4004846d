//! ITU-T T.800 Annex D: a code-block, bit-plane by bit-plane in three passes.

use super::arithmetic::{ArithmeticEncoder, RUN, UNIFORM};

/// Height of the stripes that a pass goes through column by column.
const STRIPE: usize = 4;

// What is known of a coefficient and of its eight neighbours. The neighbours' half chooses the context of a zero.
const WEST: u16 = 1;
const EAST: u16 = 1 << 1;
const NORTH: u16 = 1 << 2;
const SOUTH: u16 = 1 << 3;
const NORTH_WEST: u16 = 1 << 4;
const NORTH_EAST: u16 = 1 << 5;
const SOUTH_WEST: u16 = 1 << 6;
const SOUTH_EAST: u16 = 1 << 7;
const NEIGHBOURS: u16 = 0xff;
const WEST_NEGATIVE: u16 = 1 << 8;
const EAST_NEGATIVE: u16 = 1 << 9;
const NORTH_NEGATIVE: u16 = 1 << 10;
const SOUTH_NEGATIVE: u16 = 1 << 11;
const SIGNIFICANT: u16 = 1 << 12;
const VISITED: u16 = 1 << 13;
const REFINED: u16 = 1 << 14;

/// Where the high frequencies of a sub-band are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Band {
    /// Nowhere, or from row to row: LL and LH.
    Vertical,
    /// From column to column: HL.
    Horizontal,
    /// Both: HH.
    Diagonal,
}

/// Table D.1: the context of a coefficient that is not significant yet, for each set of significant neighbours.
const fn zero_contexts(band: Band) -> [u8; 256] {
    let mut contexts = [0; 256];
    let mut flags = 0;
    while flags < 256 {
        let set = flags as u16;
        let beside = (set & WEST != 0) as u8 + (set & EAST != 0) as u8;
        let over = (set & NORTH != 0) as u8 + (set & SOUTH != 0) as u8;
        let corners = (set & NORTH_WEST != 0) as u8
            + (set & NORTH_EAST != 0) as u8
            + (set & SOUTH_WEST != 0) as u8
            + (set & SOUTH_EAST != 0) as u8;
        contexts[flags] = match band {
            Band::Vertical => straight(beside, over, corners),
            Band::Horizontal => straight(over, beside, corners),
            Band::Diagonal => diagonal(beside + over, corners),
        };
        flags += 1;
    }
    contexts
}

const fn straight(along: u8, across: u8, corners: u8) -> u8 {
    match (along, across, corners) {
        (2, _, _) => 8,
        (1, 1.., _) => 7,
        (1, 0, 1..) => 6,
        (1, 0, 0) => 5,
        (_, 2, _) => 4,
        (_, 1, _) => 3,
        (_, _, 2..) => 2,
        (_, _, corners) => corners,
    }
}

const fn diagonal(sides: u8, corners: u8) -> u8 {
    match (corners, sides) {
        (3.., _) => 8,
        (2, 1..) => 7,
        (2, 0) => 6,
        (1, 2..) => 5,
        (1, sides) => 3 + sides,
        (_, 2..) => 2,
        (_, sides) => sides,
    }
}

static VERTICAL: [u8; 256] = zero_contexts(Band::Vertical);
static HORIZONTAL: [u8; 256] = zero_contexts(Band::Horizontal);
static DIAGONAL: [u8; 256] = zero_contexts(Band::Diagonal);

/// A code-block as it is written.
#[derive(Debug)]
pub(super) struct CodedBlock {
    /// Bit-planes with something in them, from the lowest on; 0 when all coefficients are.
    pub(super) planes: u8,
    /// Coding passes.
    pub(super) passes: u8,
    /// The one segment of all passes.
    pub(super) bytes: Vec<u8>,
}

/// Codes a block of `width` columns, at most 64 x 64 coefficients of magnitudes below 2^31.
pub(super) fn encode(coefficients: &[i32], width: usize, band: Band) -> CodedBlock {
    let all = coefficients.iter().fold(0, |all, value| all | value.unsigned_abs());
    let planes = (u32::BITS - all.leading_zeros()) as u8;
    if planes == 0 {
        return CodedBlock { planes, passes: 0, bytes: Vec::new() };
    }
    let mut block = Block::new(coefficients, width, band);
    for plane in (0..planes).rev() {
        if plane + 1 < planes {
            block.significance_pass(plane);
            block.refinement_pass(plane);
        }
        block.cleanup_pass(plane);
    }
    CodedBlock { planes, passes: planes * 3 - 2, bytes: block.coder.finish() }
}

struct Block<'a> {
    coefficients: &'a [i32],
    width: usize,
    height: usize,
    /// One flag word for each coefficient, with a border of one on all sides.
    flags: Vec<u16>,
    contexts: &'static [u8; 256],
    coder: ArithmeticEncoder,
}

impl<'a> Block<'a> {
    fn new(coefficients: &'a [i32], width: usize, band: Band) -> Self {
        let height = coefficients.len() / width;
        let contexts = match band {
            Band::Vertical => &VERTICAL,
            Band::Horizontal => &HORIZONTAL,
            Band::Diagonal => &DIAGONAL,
        };
        let flags = vec![0; (width + 2) * (height + 2)];
        Self { coefficients, width, height, flags, contexts, coder: ArithmeticEncoder::new() }
    }

    fn place(&self, row: usize, column: usize) -> usize {
        (row + 1) * (self.width + 2) + column + 1
    }

    fn bit(&self, row: usize, column: usize, plane: u8) -> bool {
        self.coefficients[row * self.width + column].unsigned_abs() >> plane & 1 == 1
    }

    fn zero_context(&self, flags: u16) -> usize {
        usize::from(self.contexts[usize::from(flags & NEIGHBOURS)])
    }

    /// Calls `visit` for every coefficient in the order of D.1: stripes of four rows, column by column.
    fn scan(&mut self, mut visit: impl FnMut(&mut Self, usize, usize)) {
        for stripe in (0..self.height).step_by(STRIPE) {
            for column in 0..self.width {
                for row in stripe..(stripe + STRIPE).min(self.height) {
                    visit(self, row, column);
                }
            }
        }
    }

    /// D.3.1.
    fn significance_pass(&mut self, plane: u8) {
        self.scan(|block, row, column| {
            let place = block.place(row, column);
            let flags = block.flags[place];
            if flags & SIGNIFICANT != 0 || flags & NEIGHBOURS == 0 {
                return;
            }
            block.flags[place] |= VISITED;
            block.code_zero(row, column, place, plane);
        });
    }

    /// D.3.3.
    fn refinement_pass(&mut self, plane: u8) {
        self.scan(|block, row, column| {
            let place = block.place(row, column);
            let flags = block.flags[place];
            if flags & (SIGNIFICANT | VISITED) != SIGNIFICANT {
                return;
            }
            // Table D.4.
            let context = match (flags & REFINED != 0, flags & NEIGHBOURS != 0) {
                (true, _) => 16,
                (false, true) => 15,
                (false, false) => 14,
            };
            let bit = block.bit(row, column, plane);
            block.coder.encode(context, bit);
            block.flags[place] |= REFINED;
        });
    }

    /// D.3.4. Ends the plane: nothing is marked as visited any more.
    fn cleanup_pass(&mut self, plane: u8) {
        for stripe in (0..self.height).step_by(STRIPE) {
            let end = (stripe + STRIPE).min(self.height);
            for column in 0..self.width {
                let mut row = stripe;
                if end == stripe + STRIPE && (stripe..end).all(|row| self.is_unknown(row, column)) {
                    let first = (stripe..end).find(|row| self.bit(*row, column, plane));
                    self.coder.encode(RUN, first.is_some());
                    let Some(first) = first else { continue };
                    self.coder.encode(UNIFORM, (first - stripe) & 2 != 0);
                    self.coder.encode(UNIFORM, (first - stripe) & 1 != 0);
                    self.become_significant(first, column);
                    row = first + 1;
                }
                for row in row..end {
                    let place = self.place(row, column);
                    if self.flags[place] & (SIGNIFICANT | VISITED) == 0 {
                        self.code_zero(row, column, place, plane);
                    }
                    self.flags[place] &= !VISITED;
                }
            }
        }
    }

    fn is_unknown(&self, row: usize, column: usize) -> bool {
        self.flags[self.place(row, column)] & (SIGNIFICANT | VISITED | NEIGHBOURS) == 0
    }

    fn code_zero(&mut self, row: usize, column: usize, place: usize, plane: u8) {
        let bit = self.bit(row, column, plane);
        self.coder.encode(self.zero_context(self.flags[place]), bit);
        if bit {
            self.become_significant(row, column);
        }
    }

    /// Codes the sign (D.3.2) and tells the neighbours.
    fn become_significant(&mut self, row: usize, column: usize) {
        let place = self.place(row, column);
        let negative = self.coefficients[row * self.width + column] < 0;
        let (context, flip) = sign_context(self.flags[place]);
        self.coder.encode(context, negative != flip);
        self.flags[place] |= SIGNIFICANT;
        let line = self.width + 2;
        let told = |flag, sign| if negative { flag | sign } else { flag };
        self.flags[place - 1] |= told(EAST, EAST_NEGATIVE);
        self.flags[place + 1] |= told(WEST, WEST_NEGATIVE);
        self.flags[place - line] |= told(SOUTH, SOUTH_NEGATIVE);
        self.flags[place + line] |= told(NORTH, NORTH_NEGATIVE);
        self.flags[place - line - 1] |= SOUTH_EAST;
        self.flags[place - line + 1] |= SOUTH_WEST;
        self.flags[place + line - 1] |= NORTH_EAST;
        self.flags[place + line + 1] |= NORTH_WEST;
    }
}

/// Tables D.2 and D.3: the context of a sign, and whether the opposite is coded.
fn sign_context(flags: u16) -> (usize, bool) {
    let pull = |flag: u16, sign: u16| match (flags & flag != 0, flags & sign != 0) {
        (false, _) => 0,
        (true, false) => 1,
        (true, true) => -1,
    };
    let beside = (pull(WEST, WEST_NEGATIVE) + pull(EAST, EAST_NEGATIVE)).clamp(-1, 1);
    let over: i32 = (pull(NORTH, NORTH_NEGATIVE) + pull(SOUTH, SOUTH_NEGATIVE)).clamp(-1, 1);
    match (beside, over) {
        (1, 1) => (13, false),
        (1, 0) => (12, false),
        (1, _) => (11, false),
        (0, 1) => (10, false),
        (0, 0) => (9, false),
        (0, _) => (10, true),
        (_, 1) => (11, true),
        (_, 0) => (12, true),
        (_, _) => (13, true),
    }
}
