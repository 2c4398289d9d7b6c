//! Tables in Markdown.

#![allow(clippy::print_stdout, reason = "it prints to the terminal")]

/// Prints a table. The first `texts` columns are text, the others figures.
pub fn print<const N: usize>(heads: [&str; N], texts: usize, lines: &[[String; N]]) {
    let width = |column: usize| {
        let cells = lines.iter().map(|line| line[column].chars().count());
        cells.chain([heads[column].chars().count(), 3]).max().unwrap_or(3)
    };
    let widths: [usize; N] = std::array::from_fn(width);
    let line = |cells: [&str; N]| {
        let padded = cells.iter().zip(widths).enumerate().map(|(column, (cell, width))| {
            if column < texts { format!(" {cell:width$} ") } else { format!(" {cell:>width$} ") }
        });
        println!("|{}|", padded.collect::<Vec<_>>().join("|"));
    };
    line(heads);
    let rules = widths.iter().enumerate().map(|(column, width)| {
        if column < texts { "-".repeat(width + 2) } else { format!("{}:", "-".repeat(width + 1)) }
    });
    println!("|{}|", rules.collect::<Vec<_>>().join("|"));
    for cells in lines {
        line(cells.each_ref().map(String::as_str));
    }
    println!();
}

/// Formats a figure without a fraction, with its digits in groups of three.
pub fn thousands(figure: f64) -> String {
    let digits = format!("{:.0}", figure.abs());
    let mut text = String::from(if figure <= -0.5 { "-" } else { "" });
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
