//! All measurements, as tables.

use tower_api_key_benches::markdown;

use crate::counted::Counted;
use crate::figures::Section;
use crate::whole::Whole;
use crate::{loopback, targets};

/// All measurements.
pub(crate) struct Figures {
    pub(crate) sections: Vec<Section>,
    pub(crate) counted: Counted,
    pub(crate) whole: Option<Whole>,
}

impl Figures {
    /// Prints them.
    pub(crate) fn print(&self) {
        let heads = [
            "case",
            "stack",
            "ns",
            "adds ns",
            "of by hand",
            "of floor",
            "adds instructions",
            "adds steps",
            "adds locked",
            "adds allocations",
        ];
        let lines: Vec<_> = self.sections.iter().flat_map(Section::lines).collect();
        markdown::print(heads, 2, &lines);
        self.counted.print_bytes();
        if let Some(whole) = &self.whole {
            whole.hits.print();
            loopback::print(&whole.loopback);
        }
        targets::print(self);
    }
}
