//! What stands around the functions: tokens, the short way to `rpc`, and the local stand-ins for PostgREST and GoTrue.
