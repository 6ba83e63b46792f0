-- What `supabase db reset` and `cargo xtask reset` put into a local database after the migrations: nothing. Reference data comes
-- with the migrations, people come by signing up (`cargo xtask demo` brings three).
select;
