//! One small change of a text, encoded in three bytes of the input.

/// The operation, its position, and its byte.
#[derive(Debug, Clone, Copy)]
pub struct Edit {
    verb: u8,
    place: u8,
    byte: u8,
}

impl Edit {
    /// Takes an edit from the front of the input: `s0x` sets the byte at a position to `x`, `i0x` inserts it, `d0x` deletes a byte,
    /// `c0x` truncates the text there, and any other one leaves the text unchanged. The position is the second byte, modulo
    /// the length.
    pub fn take(data: &[u8]) -> Option<(Self, &[u8])> {
        let (&[verb, place, byte], rest) = data.split_first_chunk()?;
        Some((Self { verb, place, byte }, rest))
    }

    /// Returns the text with the change made.
    pub fn apply(self, text: &[u8]) -> Vec<u8> {
        let mut edited = text.to_vec();
        if edited.is_empty() {
            return edited;
        }
        let place = usize::from(self.place) % edited.len();
        match self.verb {
            b's' => edited[place] = self.byte,
            b'i' => edited.insert(place, self.byte),
            b'd' => drop(edited.remove(place)),
            b'c' => edited.truncate(place),
            _ => {}
        }
        edited
    }
}
