//! Tables in Markdown.

/// Prints a table. The first column is text, the others are figures.
pub(crate) fn print<const N: usize>(heads: [&str; N], lines: &[[String; N]]) {
    let heads = heads.map(str::to_owned);
    let all = || std::iter::once(&heads).chain(lines);
    let widths: [usize; N] =
        std::array::from_fn(|column| all().map(|line| line[column].chars().count()).max().unwrap_or(0));
    let print_line = |cells: &[String; N]| {
        let padded = cells.iter().zip(widths).enumerate().map(|(column, (cell, width))| {
            if column == 0 { format!("{cell:width$}") } else { format!("{cell:>width$}") }
        });
        println!("| {} |", padded.collect::<Vec<_>>().join(" | "));
    };
    print_line(&heads);
    print_line(&std::array::from_fn(|column| {
        let width = widths[column];
        if column == 0 { "-".repeat(width) } else { format!("{}:", "-".repeat(width - 1)) }
    }));
    lines.iter().for_each(print_line);
    println!();
}

/// Formats milliseconds, with two decimals below ten.
pub(crate) fn millis(time: std::time::Duration) -> String {
    let millis = time.as_secs_f64() * 1e3;
    if millis < 10.0 { format!("{millis:.2}") } else { format!("{millis:.0}") }
}
