//! The system clock.

// Layer 1 of 10: words.

#[cfg(target_os = "linux")]
mod linux;
#[cfg(not(target_os = "linux"))]
mod portable;

#[cfg(target_os = "linux")]
pub use linux::SystemClock;
#[cfg(not(target_os = "linux"))]
pub use portable::SystemClock;
