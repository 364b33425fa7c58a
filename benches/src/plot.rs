//! The picture: a panel for each thing there can be more of. Plain SVG; white ground, so that it can be read anywhere.

use std::fmt::Write as _;

use crate::figures::thousands;
use crate::figures::{Figure, spread};
use crate::measure::Table;

/// CPU a request at one size, as a multiple of the smallest size's: median, lowest and highest round.
struct Point {
    size: usize,
    value: f64,
    low: f64,
    high: f64,
}

/// One frame: what there is more of to the right, the lines with their names, and the most that is aimed at.
pub(crate) struct Panel {
    axis: &'static str,
    series: Vec<(&'static str, Vec<Point>)>,
    aim: Option<f64>,
}

impl Panel {
    /// Of a table: the rows of each name, and what they are called.
    pub(crate) fn new(axis: &'static str, table: &Table, names: &[(&str, &'static str)], aim: Option<f64>) -> Self {
        let points = |name: &str| {
            let rows = table.series(name).into_iter().filter(|row| !row.kept.all(Figure::Growth).is_empty());
            let points = rows.map(|row| {
                let (low, high) = spread(row.kept.all(Figure::Growth));
                Point { size: row.size, value: row.kept.median(Figure::Growth), low, high }
            });
            points.collect()
        };
        Self { axis, series: names.iter().map(|(name, label)| (*label, points(name))).collect(), aim }
    }

    fn points(&self) -> impl Iterator<Item = &Point> {
        self.series.iter().flat_map(|(_, points)| points)
    }
}

const WIDTH: f64 = 430.0;
const HEIGHT: f64 = 290.0;
/// The frame of a panel.
const LEFT: f64 = 72.0;
const RIGHT: f64 = WIDTH - 16.0;
const TOP: f64 = 34.0;
const FLOOR: f64 = HEIGHT - 50.0;
/// Above all panels.
const TITLE: f64 = 58.0;

/// Draws the panels, two in a row.
pub(crate) fn draw(panels: &[Panel]) -> String {
    let columns = panels.len().clamp(1, 2);
    let (width, height) = (columns as f64 * WIDTH, TITLE + panels.len().div_ceil(columns) as f64 * HEIGHT);
    let mut svg = format!(
        r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0} {height:.0}" width="{width:.0}" height="{height:.0}" font-family="Helvetica, Arial, sans-serif" font-size="12" fill="#24292f">
<title>CPU time of a request against what there is more of</title>
<style>.grid {{ stroke: #d8dee4 }} .ink {{ stroke: #24292f }} .aim {{ stroke: #b35900; stroke-width: 1.5; stroke-dasharray: 5 4 }}
.a {{ stroke: #0550ae; stroke-width: 1.5 }} .b {{ stroke: #8250df; stroke-width: 1.5 }} .end {{ text-anchor: end }} .middle {{ text-anchor: middle }}</style>
<rect width="100%" height="100%" fill="#ffffff"/>
<text x="16" y="26" font-size="16">CPU time of a request, as a multiple of the smallest size's</text>
<text x="16" y="46">each round against the smallest size in the same round; dots: median; whiskers: lowest and highest</text>
"##
    );
    // Of one height in all panels: a step means the same everywhere. From zero: flat looks flat.
    let most = panels.iter().flat_map(Panel::points).map(|point| point.high).fold(1.5, f64::max);
    let top = (most * 4.0).ceil() / 4.0;
    for (place, panel) in panels.iter().enumerate() {
        let (x, y) = ((place % columns) as f64 * WIDTH, TITLE + (place / columns) as f64 * HEIGHT);
        let _ = writeln!(svg, "<g transform=\"translate({x:.0} {y:.0})\">\n{}</g>", frame(panel, top));
    }
    svg + "</svg>\n"
}

fn frame(panel: &Panel, top: f64) -> String {
    let log = |size: usize| (size.max(1) as f64).log10();
    let least = panel.points().map(|point| log(point.size)).fold(f64::MAX, f64::min);
    let least = if least == f64::MAX { 0.0 } else { least };
    let most = panel.points().map(|point| log(point.size)).fold(least + 1.0, f64::max);
    // A little room beside the first and the last size.
    let x = |log: f64| LEFT + (RIGHT - LEFT) * ((log - least) / (most - least) * 0.88 + 0.06);
    let y = |value: f64| FLOOR - (FLOOR - TOP) * (value / top);
    let mut svg = String::new();
    let line = |svg: &mut String, class: &str, (x1, y1): (f64, f64), (x2, y2): (f64, f64)| {
        let _ = writeln!(svg, r#"<line class="{class}" x1="{x1:.1}" y1="{y1:.1}" x2="{x2:.1}" y2="{y2:.1}"/>"#);
    };
    let text = |svg: &mut String, class: &str, (x, y): (f64, f64), words: &str| {
        let _ = writeln!(svg, r#"<text class="{class}" x="{x:.1}" y="{y:.1}">{words}</text>"#);
    };
    text(&mut svg, "", (LEFT, 20.0), panel.axis);
    let step = if top > 3.0 { 1.0 } else { 0.25 };
    for tick in (0..).map(|tick| f64::from(tick) * step).take_while(|tick| *tick <= top + 1e-9) {
        line(&mut svg, if tick == 0.0 { "ink" } else { "grid" }, (LEFT, y(tick)), (RIGHT, y(tick)));
        text(&mut svg, "end", (LEFT - 8.0, y(tick) + 4.0), &format!("{tick:.2}×"));
    }
    for power in (0..9).filter(|power| (least - 1e-9..=most + 1e-9).contains(&f64::from(*power))) {
        let at = x(f64::from(power));
        line(&mut svg, "ink", (at, FLOOR), (at, FLOOR + 5.0));
        text(&mut svg, "middle", (at, FLOOR + 19.0), &thousands(10_usize.pow(power)));
    }
    text(&mut svg, "middle", (f64::midpoint(LEFT, RIGHT), HEIGHT - 12.0), &format!("{} (logarithmic)", panel.axis));
    if let Some(aim) = panel.aim {
        line(&mut svg, "aim", (LEFT, y(aim)), (RIGHT, y(aim)));
        line(&mut svg, "aim", (RIGHT - 150.0, FLOOR - 20.0), (RIGHT - 126.0, FLOOR - 20.0));
        text(&mut svg, "end", (RIGHT - 14.0, FLOOR - 16.0), &format!("aim: at most {aim:.2}×"));
    }
    for (place, ((label, points), class)) in panel.series.iter().zip(["a", "b"]).enumerate() {
        // Beside each other, so that whiskers of two series do not hide each other.
        let at = |point: &Point| x(log(point.size)) + place as f64 * 7.0;
        let path: Vec<String> = points.iter().map(|one| format!("{:.1},{:.1}", at(one), y(one.value))).collect();
        let _ = writeln!(svg, r#"<polyline class="{class}" fill="none" points="{}"/>"#, path.join(" "));
        for point in points {
            line(&mut svg, class, (at(point), y(point.low)), (at(point), y(point.high)));
            for end in [point.low, point.high] {
                line(&mut svg, class, (at(point) - 4.0, y(end)), (at(point) + 4.0, y(end)));
            }
            let _ =
                writeln!(svg, r#"<circle class="{class}" cx="{:.1}" cy="{:.1}" r="3"/>"#, at(point), y(point.value));
        }
        if let Some(last) = points.last() {
            // The first above its whisker, the second below.
            let beside = if place == 0 { y(last.high) - 7.0 } else { y(last.low) + 15.0 };
            text(&mut svg, "middle", (at(last), beside), &format!("{:.2}×", last.value));
        }
        // The legend of the panel, in its lower part: lines that matter are above.
        let low = FLOOR - 16.0 - (panel.series.len() - 1 - place) as f64 * 18.0;
        let _ = writeln!(svg, r#"<circle class="{class}" cx="{:.1}" cy="{:.1}" r="3"/>"#, LEFT + 14.0, low - 4.0);
        text(&mut svg, "", (LEFT + 24.0, low), label);
    }
    let middle = f64::midpoint(FLOOR, TOP);
    let turned = format!("transform=\"translate(16 {middle:.1}) rotate(-90)\" text-anchor=\"middle\"");
    svg + &format!("<text {turned}>CPU a request ÷ smallest</text>\n")
}
