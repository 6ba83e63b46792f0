//! The rules of WellTrack.
