// The types of WellTrack's API, from the database itself: `cargo xtask types` writes this file.

export type Json = string | number | boolean | null | { [key: string]: Json | undefined } | Json[]

export type Database = {
  public: {
    Tables: {
      wt_ai_audit_log: {
        Row: {
          completion_tokens: number | null
          created_at: string
          db_writes: NonNullable<Json>
          dry_run: boolean
          duration_ms: number | null
          id: string
          idempotency_key: string | null
          model: string | null
          outcome: Database['public']['Enums']['wt_ai_outcome']
          profile_id: string | null
          prompt_tokens: number | null
          request_summary: string | null
          response_summary: string | null
          safety_flags: NonNullable<Json>
          updated_at: string
          user_id: string
          workflow_type: string
        }
        ComputedFields: never
        Insert: {
          completion_tokens?: number | null
          created_at?: string
          db_writes?: NonNullable<Json>
          dry_run?: boolean
          duration_ms?: number | null
          id?: string
          idempotency_key?: string | null
          model?: string | null
          outcome: Database['public']['Enums']['wt_ai_outcome']
          profile_id?: string | null
          prompt_tokens?: number | null
          request_summary?: string | null
          response_summary?: string | null
          safety_flags?: NonNullable<Json>
          updated_at?: string
          user_id: string
          workflow_type: string
        }
        Update: {
          completion_tokens?: number | null
          created_at?: string
          db_writes?: NonNullable<Json>
          dry_run?: boolean
          duration_ms?: number | null
          id?: string
          idempotency_key?: string | null
          model?: string | null
          outcome?: Database['public']['Enums']['wt_ai_outcome']
          profile_id?: string | null
          prompt_tokens?: number | null
          request_summary?: string | null
          response_summary?: string | null
          safety_flags?: NonNullable<Json>
          updated_at?: string
          user_id?: string
          workflow_type?: string
        }
        Relationships: [
          {
            foreignKeyName: 'wt_ai_audit_log_profile_id_user_id_fkey'
            columns: ['profile_id', 'user_id']
            isOneToOne: false
            referencedRelation: 'wt_profiles'
            referencedColumns: ['id', 'user_id']
          },
          {
            foreignKeyName: 'wt_ai_audit_log_user_id_fkey'
            columns: ['user_id']
            isOneToOne: false
            referencedRelation: 'wt_users'
            referencedColumns: ['id']
          },
        ]
      }
      wt_ai_memory: {
        Row: {
          created_at: string
          expires_at: string | null
          id: string
          memory_key: string
          memory_type: Database['public']['Enums']['wt_ai_memory_type']
          memory_value: NonNullable<Json>
          profile_id: string
          source_tool: string | null
          updated_at: string
          user_id: string
        }
        ComputedFields: never
        Insert: {
          created_at?: string
          expires_at?: string | null
          id?: string
          memory_key: string
          memory_type: Database['public']['Enums']['wt_ai_memory_type']
          memory_value: NonNullable<Json>
          profile_id: string
          source_tool?: string | null
          updated_at?: string
          user_id?: string
        }
        Update: {
          created_at?: string
          expires_at?: string | null
          id?: string
          memory_key?: string
          memory_type?: Database['public']['Enums']['wt_ai_memory_type']
          memory_value?: NonNullable<Json>
          profile_id?: string
          source_tool?: string | null
          updated_at?: string
          user_id?: string
        }
        Relationships: [
          {
            foreignKeyName: 'wt_ai_memory_profile_id_user_id_fkey'
            columns: ['profile_id', 'user_id']
            isOneToOne: false
            referencedRelation: 'wt_profiles'
            referencedColumns: ['id', 'user_id']
          },
        ]
      }
      wt_ai_plan_limits: {
        Row: {
          created_at: string
          daily_calls: number | null
          daily_tokens: number | null
          id: string
          plan_tier: Database['public']['Enums']['wt_plan_tier']
          updated_at: string
        }
        ComputedFields: never
        Insert: {
          created_at?: string
          daily_calls?: number | null
          daily_tokens?: number | null
          id?: string
          plan_tier: Database['public']['Enums']['wt_plan_tier']
          updated_at?: string
        }
        Update: {
          created_at?: string
          daily_calls?: number | null
          daily_tokens?: number | null
          id?: string
          plan_tier?: Database['public']['Enums']['wt_plan_tier']
          updated_at?: string
        }
        Relationships: []
      }
      wt_ai_usage: {
        Row: {
          calls_reserved: number
          calls_used: number
          created_at: string
          id: string
          tokens_reserved: number
          tokens_used: number
          updated_at: string
          usage_date: string
          user_id: string
        }
        ComputedFields: never
        Insert: {
          calls_reserved?: number
          calls_used?: number
          created_at?: string
          id?: string
          tokens_reserved?: number
          tokens_used?: number
          updated_at?: string
          usage_date?: string
          user_id: string
        }
        Update: {
          calls_reserved?: number
          calls_used?: number
          created_at?: string
          id?: string
          tokens_reserved?: number
          tokens_used?: number
          updated_at?: string
          usage_date?: string
          user_id?: string
        }
        Relationships: [
          {
            foreignKeyName: 'wt_ai_usage_user_id_fkey'
            columns: ['user_id']
            isOneToOne: false
            referencedRelation: 'wt_users'
            referencedColumns: ['id']
          },
        ]
      }
      wt_audit_log: {
        Row: {
          actor_id: string | null
          actor_role: string
          changed_columns: string[] | null
          created_at: string
          id: string
          operation: string
          row_ids: string[]
          table_name: string
          updated_at: string
          user_id: string | null
        }
        ComputedFields: never
        Insert: {
          actor_id?: string | null
          actor_role: string
          changed_columns?: string[] | null
          created_at?: string
          id?: string
          operation: string
          row_ids: string[]
          table_name: string
          updated_at?: string
          user_id?: string | null
        }
        Update: {
          actor_id?: string | null
          actor_role?: string
          changed_columns?: string[] | null
          created_at?: string
          id?: string
          operation?: string
          row_ids?: string[]
          table_name?: string
          updated_at?: string
          user_id?: string | null
        }
        Relationships: []
      }
      wt_baselines: {
        Row: {
          baseline_stddev: number | null
          baseline_value: number | null
          calibration_status: Database['public']['Enums']['wt_calibration_status']
          capture_end: string | null
          capture_start: string | null
          created_at: string
          data_points_count: number
          id: string
          is_complete: boolean
          is_stale: boolean
          metric_type: Database['public']['Enums']['wt_metric_type']
          profile_id: string
          updated_at: string
          user_id: string
        }
        ComputedFields: never
        Insert: {
          baseline_stddev?: number | null
          baseline_value?: number | null
          calibration_status?: never
          capture_end?: string | null
          capture_start?: string | null
          created_at?: string
          data_points_count?: number
          id?: string
          is_complete?: never
          is_stale?: boolean
          metric_type: Database['public']['Enums']['wt_metric_type']
          profile_id: string
          updated_at?: string
          user_id: string
        }
        Update: {
          baseline_stddev?: number | null
          baseline_value?: number | null
          calibration_status?: never
          capture_end?: string | null
          capture_start?: string | null
          created_at?: string
          data_points_count?: number
          id?: string
          is_complete?: never
          is_stale?: boolean
          metric_type?: Database['public']['Enums']['wt_metric_type']
          profile_id?: string
          updated_at?: string
          user_id?: string
        }
        Relationships: [
          {
            foreignKeyName: 'wt_baselines_profile_id_user_id_fkey'
            columns: ['profile_id', 'user_id']
            isOneToOne: false
            referencedRelation: 'wt_profiles'
            referencedColumns: ['id', 'user_id']
          },
        ]
      }
      wt_connection_tokens: {
        Row: {
          access_token_encrypted: string
          connection_id: string
          created_at: string
          id: string
          key_id: string
          refresh_leased_by: string | null
          refresh_leased_until: string | null
          refresh_token_encrypted: string | null
          token_expires_at: string | null
          updated_at: string
          user_id: string
        }
        ComputedFields: never
        Insert: {
          access_token_encrypted: string
          connection_id: string
          created_at?: string
          id?: string
          key_id: string
          refresh_leased_by?: string | null
          refresh_leased_until?: string | null
          refresh_token_encrypted?: string | null
          token_expires_at?: string | null
          updated_at?: string
          user_id: string
        }
        Update: {
          access_token_encrypted?: string
          connection_id?: string
          created_at?: string
          id?: string
          key_id?: string
          refresh_leased_by?: string | null
          refresh_leased_until?: string | null
          refresh_token_encrypted?: string | null
          token_expires_at?: string | null
          updated_at?: string
          user_id?: string
        }
        Relationships: [
          {
            foreignKeyName: 'wt_connection_tokens_connection_id_user_id_fkey'
            columns: ['connection_id', 'user_id']
            isOneToOne: false
            referencedRelation: 'wt_health_connections'
            referencedColumns: ['id', 'user_id']
          },
        ]
      }
      wt_daily_logs: {
        Row: {
          created_at: string
          energy: number | null
          id: string
          log_date: string
          mood: number | null
          notes: string | null
          profile_id: string
          updated_at: string
          user_id: string
          water_ml: number | null
        }
        ComputedFields: never
        Insert: {
          created_at?: string
          energy?: number | null
          id?: string
          log_date: string
          mood?: number | null
          notes?: string | null
          profile_id: string
          updated_at?: string
          user_id?: string
          water_ml?: number | null
        }
        Update: {
          created_at?: string
          energy?: number | null
          id?: string
          log_date?: string
          mood?: number | null
          notes?: string | null
          profile_id?: string
          updated_at?: string
          user_id?: string
          water_ml?: number | null
        }
        Relationships: [
          {
            foreignKeyName: 'wt_daily_logs_profile_id_user_id_fkey'
            columns: ['profile_id', 'user_id']
            isOneToOne: false
            referencedRelation: 'wt_profiles'
            referencedColumns: ['id', 'user_id']
          },
        ]
      }
      wt_daily_values: {
        Row: {
          active_minutes: number | null
          blood_pressure: number | null
          body_fat: number | null
          calories: number | null
          created_at: string
          distance: number | null
          hr: number | null
          hrv: number | null
          id: string
          local_date: string
          profile_id: string
          respiratory_rate: number | null
          sleep: number | null
          spo2: number | null
          steps: number | null
          stress: number | null
          training_load: number | null
          updated_at: string
          user_id: string
          vo2max: number | null
          weight: number | null
        }
        ComputedFields: never
        Insert: {
          active_minutes?: number | null
          blood_pressure?: number | null
          body_fat?: number | null
          calories?: number | null
          created_at?: string
          distance?: number | null
          hr?: number | null
          hrv?: number | null
          id?: string
          local_date: string
          profile_id: string
          respiratory_rate?: number | null
          sleep?: number | null
          spo2?: number | null
          steps?: number | null
          stress?: number | null
          training_load?: number | null
          updated_at?: string
          user_id: string
          vo2max?: number | null
          weight?: number | null
        }
        Update: {
          active_minutes?: number | null
          blood_pressure?: number | null
          body_fat?: number | null
          calories?: number | null
          created_at?: string
          distance?: number | null
          hr?: number | null
          hrv?: number | null
          id?: string
          local_date?: string
          profile_id?: string
          respiratory_rate?: number | null
          sleep?: number | null
          spo2?: number | null
          steps?: number | null
          stress?: number | null
          training_load?: number | null
          updated_at?: string
          user_id?: string
          vo2max?: number | null
          weight?: number | null
        }
        Relationships: [
          {
            foreignKeyName: 'wt_daily_values_profile_id_user_id_fkey'
            columns: ['profile_id', 'user_id']
            isOneToOne: false
            referencedRelation: 'wt_profiles'
            referencedColumns: ['id', 'user_id']
          },
        ]
      }
      wt_engine_marks: {
        Row: {
          created_at: string
          forecast_due: boolean
          id: string
          score_from: string | null
          score_to: string | null
          stale_from: string | null
          stale_to: string | null
          updated_at: string
          user_id: string
        }
        ComputedFields: never
        Insert: {
          created_at?: string
          forecast_due?: boolean
          id: string
          score_from?: string | null
          score_to?: string | null
          stale_from?: string | null
          stale_to?: string | null
          updated_at?: string
          user_id: string
        }
        Update: {
          created_at?: string
          forecast_due?: boolean
          id?: string
          score_from?: string | null
          score_to?: string | null
          stale_from?: string | null
          stale_to?: string | null
          updated_at?: string
          user_id?: string
        }
        Relationships: [
          {
            foreignKeyName: 'wt_engine_marks_id_user_id_fkey'
            columns: ['id', 'user_id']
            isOneToOne: false
            referencedRelation: 'wt_profiles'
            referencedColumns: ['id', 'user_id']
          },
        ]
      }
      wt_error_log: {
        Row: {
          context: NonNullable<Json>
          created_at: string
          error_code: string
          flow: string
          id: string
          message: string
          retriable: boolean
          updated_at: string
          user_id: string | null
        }
        ComputedFields: never
        Insert: {
          context?: NonNullable<Json>
          created_at?: string
          error_code: string
          flow: string
          id?: string
          message: string
          retriable?: boolean
          updated_at?: string
          user_id?: string | null
        }
        Update: {
          context?: NonNullable<Json>
          created_at?: string
          error_code?: string
          flow?: string
          id?: string
          message?: string
          retriable?: boolean
          updated_at?: string
          user_id?: string | null
        }
        Relationships: []
      }
      wt_exercises: {
        Row: {
          created_at: string
          equipment: string[]
          id: string
          kind: Database['public']['Enums']['wt_exercise_kind']
          muscle_groups: string[]
          name: string
          updated_at: string
        }
        ComputedFields: never
        Insert: {
          created_at?: string
          equipment?: string[]
          id?: string
          kind: Database['public']['Enums']['wt_exercise_kind']
          muscle_groups?: string[]
          name: string
          updated_at?: string
        }
        Update: {
          created_at?: string
          equipment?: string[]
          id?: string
          kind?: Database['public']['Enums']['wt_exercise_kind']
          muscle_groups?: string[]
          name?: string
          updated_at?: string
        }
        Relationships: []
      }
      wt_forecasts: {
        Row: {
          as_of: string | null
          calculated_at: string
          confidence: number | null
          created_at: string
          current_value: number | null
          data_points: number
          goal_id: string
          id: string
          intercept: number | null
          metric_type: Database['public']['Enums']['wt_metric_type']
          model_type: string
          narrative: string | null
          profile_id: string
          projected_date: string | null
          projected_high: string | null
          projected_low: string | null
          r_squared: number | null
          slope_per_day: number | null
          status: Database['public']['Enums']['wt_forecast_status']
          target_value: number | null
          updated_at: string
          user_id: string
        }
        ComputedFields: never
        Insert: {
          as_of?: string | null
          calculated_at?: string
          confidence?: number | null
          created_at?: string
          current_value?: number | null
          data_points: number
          goal_id: string
          id?: string
          intercept?: number | null
          metric_type: Database['public']['Enums']['wt_metric_type']
          model_type?: string
          narrative?: string | null
          profile_id: string
          projected_date?: string | null
          projected_high?: string | null
          projected_low?: string | null
          r_squared?: number | null
          slope_per_day?: number | null
          status?: Database['public']['Enums']['wt_forecast_status']
          target_value?: number | null
          updated_at?: string
          user_id: string
        }
        Update: {
          as_of?: string | null
          calculated_at?: string
          confidence?: number | null
          created_at?: string
          current_value?: number | null
          data_points?: number
          goal_id?: string
          id?: string
          intercept?: number | null
          metric_type?: Database['public']['Enums']['wt_metric_type']
          model_type?: string
          narrative?: string | null
          profile_id?: string
          projected_date?: string | null
          projected_high?: string | null
          projected_low?: string | null
          r_squared?: number | null
          slope_per_day?: number | null
          status?: Database['public']['Enums']['wt_forecast_status']
          target_value?: number | null
          updated_at?: string
          user_id?: string
        }
        Relationships: [
          {
            foreignKeyName: 'wt_forecasts_goal_id_profile_id_user_id_fkey'
            columns: ['goal_id', 'profile_id', 'user_id']
            isOneToOne: false
            referencedRelation: 'wt_goals'
            referencedColumns: ['id', 'profile_id', 'user_id']
          },
        ]
      }
      wt_goals: {
        Row: {
          created_at: string
          current_value: number | null
          deadline: string | null
          direction: Database['public']['Enums']['wt_goal_direction']
          id: string
          is_active: boolean
          metric_type: Database['public']['Enums']['wt_metric_type']
          profile_id: string
          target_value: number
          unit: string
          updated_at: string
          user_id: string
        }
        ComputedFields: never
        Insert: {
          created_at?: string
          current_value?: number | null
          deadline?: string | null
          direction: Database['public']['Enums']['wt_goal_direction']
          id?: string
          is_active?: boolean
          metric_type: Database['public']['Enums']['wt_metric_type']
          profile_id: string
          target_value: number
          unit: string
          updated_at?: string
          user_id?: string
        }
        Update: {
          created_at?: string
          current_value?: number | null
          deadline?: string | null
          direction?: Database['public']['Enums']['wt_goal_direction']
          id?: string
          is_active?: boolean
          metric_type?: Database['public']['Enums']['wt_metric_type']
          profile_id?: string
          target_value?: number
          unit?: string
          updated_at?: string
          user_id?: string
        }
        Relationships: [
          {
            foreignKeyName: 'wt_goals_profile_id_user_id_fkey'
            columns: ['profile_id', 'user_id']
            isOneToOne: false
            referencedRelation: 'wt_profiles'
            referencedColumns: ['id', 'user_id']
          },
        ]
      }
      wt_health_connections: {
        Row: {
          connected_at: string
          connection_metadata: NonNullable<Json>
          created_at: string
          id: string
          is_connected: boolean
          last_sync_at: string | null
          profile_id: string
          provider: Database['public']['Enums']['wt_provider']
          provider_user_id: string
          scopes: string[]
          updated_at: string
          user_id: string
        }
        ComputedFields: never
        Insert: {
          connected_at?: string
          connection_metadata?: NonNullable<Json>
          created_at?: string
          id?: string
          is_connected?: boolean
          last_sync_at?: string | null
          profile_id: string
          provider: Database['public']['Enums']['wt_provider']
          provider_user_id: string
          scopes?: string[]
          updated_at?: string
          user_id?: string
        }
        Update: {
          connected_at?: string
          connection_metadata?: NonNullable<Json>
          created_at?: string
          id?: string
          is_connected?: boolean
          last_sync_at?: string | null
          profile_id?: string
          provider?: Database['public']['Enums']['wt_provider']
          provider_user_id?: string
          scopes?: string[]
          updated_at?: string
          user_id?: string
        }
        Relationships: [
          {
            foreignKeyName: 'wt_health_connections_profile_id_user_id_fkey'
            columns: ['profile_id', 'user_id']
            isOneToOne: false
            referencedRelation: 'wt_profiles'
            referencedColumns: ['id', 'user_id']
          },
        ]
      }
      wt_health_metrics: {
        Row: {
          created_at: string
          dedupe_hash: string
          end_time: string | null
          finality: number | null
          id: string
          ingestion_source_version: string | null
          is_primary: boolean
          local_date: string
          metric_type: Database['public']['Enums']['wt_metric_type']
          processing_status: Database['public']['Enums']['wt_processing_status']
          profile_id: string
          raw_payload_json: Json | null
          recorded_at: string
          rejection_reason: string | null
          reported_at: string | null
          source: Database['public']['Enums']['wt_metric_source']
          source_record_id: string | null
          start_time: string
          unit: string
          updated_at: string
          user_id: string
          validation_status: Database['public']['Enums']['wt_validation_status']
          value_num: number | null
          value_text: string | null
        }
        ComputedFields: never
        Insert: {
          created_at?: string
          dedupe_hash?: never
          end_time?: string | null
          finality?: number | null
          id?: string
          ingestion_source_version?: string | null
          is_primary?: boolean
          local_date: string
          metric_type: Database['public']['Enums']['wt_metric_type']
          processing_status?: Database['public']['Enums']['wt_processing_status']
          profile_id: string
          raw_payload_json?: Json | null
          recorded_at?: string
          rejection_reason?: string | null
          reported_at?: string | null
          source: Database['public']['Enums']['wt_metric_source']
          source_record_id?: string | null
          start_time: string
          unit: string
          updated_at?: string
          user_id?: string
          validation_status?: Database['public']['Enums']['wt_validation_status']
          value_num?: number | null
          value_text?: string | null
        }
        Update: {
          created_at?: string
          dedupe_hash?: never
          end_time?: string | null
          finality?: number | null
          id?: string
          ingestion_source_version?: string | null
          is_primary?: boolean
          local_date?: string
          metric_type?: Database['public']['Enums']['wt_metric_type']
          processing_status?: Database['public']['Enums']['wt_processing_status']
          profile_id?: string
          raw_payload_json?: Json | null
          recorded_at?: string
          rejection_reason?: string | null
          reported_at?: string | null
          source?: Database['public']['Enums']['wt_metric_source']
          source_record_id?: string | null
          start_time?: string
          unit?: string
          updated_at?: string
          user_id?: string
          validation_status?: Database['public']['Enums']['wt_validation_status']
          value_num?: number | null
          value_text?: string | null
        }
        Relationships: [
          {
            foreignKeyName: 'wt_health_metrics_profile_id_user_id_fkey'
            columns: ['profile_id', 'user_id']
            isOneToOne: false
            referencedRelation: 'wt_profiles'
            referencedColumns: ['id', 'user_id']
          },
        ]
      }
      wt_insights: {
        Row: {
          ai_generated: boolean
          body: string
          created_at: string
          data: NonNullable<Json>
          id: string
          period_start: string
          period_type: Database['public']['Enums']['wt_period']
          profile_id: string
          title: string
          updated_at: string
          user_id: string
        }
        ComputedFields: never
        Insert: {
          ai_generated?: boolean
          body: string
          created_at?: string
          data?: NonNullable<Json>
          id?: string
          period_start: string
          period_type: Database['public']['Enums']['wt_period']
          profile_id: string
          title: string
          updated_at?: string
          user_id: string
        }
        Update: {
          ai_generated?: boolean
          body?: string
          created_at?: string
          data?: NonNullable<Json>
          id?: string
          period_start?: string
          period_type?: Database['public']['Enums']['wt_period']
          profile_id?: string
          title?: string
          updated_at?: string
          user_id?: string
        }
        Relationships: [
          {
            foreignKeyName: 'wt_insights_profile_id_user_id_fkey'
            columns: ['profile_id', 'user_id']
            isOneToOne: false
            referencedRelation: 'wt_profiles'
            referencedColumns: ['id', 'user_id']
          },
        ]
      }
      wt_leftovers: {
        Row: {
          created_at: string
          expiry_date: string | null
          id: string
          is_consumed: boolean
          name: string
          profile_id: string
          quantity: number
          source_recipe_id: string | null
          stored_date: string
          unit: string | null
          updated_at: string
          user_id: string
        }
        ComputedFields: never
        Insert: {
          created_at?: string
          expiry_date?: string | null
          id?: string
          is_consumed?: boolean
          name: string
          profile_id: string
          quantity?: number
          source_recipe_id?: string | null
          stored_date?: string
          unit?: string | null
          updated_at?: string
          user_id?: string
        }
        Update: {
          created_at?: string
          expiry_date?: string | null
          id?: string
          is_consumed?: boolean
          name?: string
          profile_id?: string
          quantity?: number
          source_recipe_id?: string | null
          stored_date?: string
          unit?: string | null
          updated_at?: string
          user_id?: string
        }
        Relationships: [
          {
            foreignKeyName: 'wt_leftovers_profile_id_user_id_fkey'
            columns: ['profile_id', 'user_id']
            isOneToOne: false
            referencedRelation: 'wt_profiles'
            referencedColumns: ['id', 'user_id']
          },
          {
            foreignKeyName: 'wt_leftovers_source_recipe_id_user_id_fkey'
            columns: ['source_recipe_id', 'user_id']
            isOneToOne: false
            referencedRelation: 'wt_recipes'
            referencedColumns: ['id', 'user_id']
          },
        ]
      }
      wt_meal_nutrient_breakdown: {
        Row: {
          amount: number
          created_at: string
          id: string
          meal_id: string
          nutrient_id: string
          updated_at: string
          user_id: string
        }
        ComputedFields: never
        Insert: {
          amount: number
          created_at?: string
          id?: string
          meal_id: string
          nutrient_id: string
          updated_at?: string
          user_id?: string
        }
        Update: {
          amount?: number
          created_at?: string
          id?: string
          meal_id?: string
          nutrient_id?: string
          updated_at?: string
          user_id?: string
        }
        Relationships: [
          {
            foreignKeyName: 'wt_meal_nutrient_breakdown_meal_id_user_id_fkey'
            columns: ['meal_id', 'user_id']
            isOneToOne: false
            referencedRelation: 'wt_meals'
            referencedColumns: ['id', 'user_id']
          },
          {
            foreignKeyName: 'wt_meal_nutrient_breakdown_nutrient_id_fkey'
            columns: ['nutrient_id']
            isOneToOne: false
            referencedRelation: 'wt_nutrients'
            referencedColumns: ['id']
          },
        ]
      }
      wt_meals: {
        Row: {
          created_at: string
          id: string
          meal_date: string
          meal_type: Database['public']['Enums']['wt_meal_type']
          name: string
          notes: string | null
          nutrition_info: NonNullable<Json>
          photo_url: string | null
          profile_id: string
          rating: number | null
          recipe_id: string | null
          score: Database['public']['Enums']['wt_nutrition_grade'] | null
          servings_consumed: number
          updated_at: string
          user_id: string
        }
        ComputedFields: never
        Insert: {
          created_at?: string
          id?: string
          meal_date?: string
          meal_type: Database['public']['Enums']['wt_meal_type']
          name: string
          notes?: string | null
          nutrition_info?: NonNullable<Json>
          photo_url?: string | null
          profile_id: string
          rating?: number | null
          recipe_id?: string | null
          score?: Database['public']['Enums']['wt_nutrition_grade'] | null
          servings_consumed?: number
          updated_at?: string
          user_id?: string
        }
        Update: {
          created_at?: string
          id?: string
          meal_date?: string
          meal_type?: Database['public']['Enums']['wt_meal_type']
          name?: string
          notes?: string | null
          nutrition_info?: NonNullable<Json>
          photo_url?: string | null
          profile_id?: string
          rating?: number | null
          recipe_id?: string | null
          score?: Database['public']['Enums']['wt_nutrition_grade'] | null
          servings_consumed?: number
          updated_at?: string
          user_id?: string
        }
        Relationships: [
          {
            foreignKeyName: 'wt_meals_profile_id_user_id_fkey'
            columns: ['profile_id', 'user_id']
            isOneToOne: false
            referencedRelation: 'wt_profiles'
            referencedColumns: ['id', 'user_id']
          },
          {
            foreignKeyName: 'wt_meals_recipe_id_user_id_fkey'
            columns: ['recipe_id', 'user_id']
            isOneToOne: false
            referencedRelation: 'wt_recipes'
            referencedColumns: ['id', 'user_id']
          },
        ]
      }
      wt_nutrient_targets: {
        Row: {
          created_at: string
          daily_amount: number
          id: string
          nutrient_id: string
          profile_id: string
          updated_at: string
          user_id: string
        }
        ComputedFields: never
        Insert: {
          created_at?: string
          daily_amount: number
          id?: string
          nutrient_id: string
          profile_id: string
          updated_at?: string
          user_id?: string
        }
        Update: {
          created_at?: string
          daily_amount?: number
          id?: string
          nutrient_id?: string
          profile_id?: string
          updated_at?: string
          user_id?: string
        }
        Relationships: [
          {
            foreignKeyName: 'wt_nutrient_targets_nutrient_id_fkey'
            columns: ['nutrient_id']
            isOneToOne: false
            referencedRelation: 'wt_nutrients'
            referencedColumns: ['id']
          },
          {
            foreignKeyName: 'wt_nutrient_targets_profile_id_user_id_fkey'
            columns: ['profile_id', 'user_id']
            isOneToOne: false
            referencedRelation: 'wt_profiles'
            referencedColumns: ['id', 'user_id']
          },
        ]
      }
      wt_nutrients: {
        Row: {
          created_at: string
          id: string
          is_macro: boolean
          name: string
          unit: string
          updated_at: string
        }
        ComputedFields: never
        Insert: {
          created_at?: string
          id?: string
          is_macro?: boolean
          name: string
          unit: string
          updated_at?: string
        }
        Update: {
          created_at?: string
          id?: string
          is_macro?: boolean
          name?: string
          unit?: string
          updated_at?: string
        }
        Relationships: []
      }
      wt_oauth_states: {
        Row: {
          created_at: string
          expires_at: string
          id: string
          key_id: string
          profile_id: string
          provider: Database['public']['Enums']['wt_provider']
          redirect_to: string | null
          state_hash: string
          updated_at: string
          user_id: string
          verifier_encrypted: string | null
        }
        ComputedFields: never
        Insert: {
          created_at?: string
          expires_at?: string
          id?: string
          key_id: string
          profile_id: string
          provider: Database['public']['Enums']['wt_provider']
          redirect_to?: string | null
          state_hash: string
          updated_at?: string
          user_id: string
          verifier_encrypted?: string | null
        }
        Update: {
          created_at?: string
          expires_at?: string
          id?: string
          key_id?: string
          profile_id?: string
          provider?: Database['public']['Enums']['wt_provider']
          redirect_to?: string | null
          state_hash?: string
          updated_at?: string
          user_id?: string
          verifier_encrypted?: string | null
        }
        Relationships: [
          {
            foreignKeyName: 'wt_oauth_states_profile_id_user_id_fkey'
            columns: ['profile_id', 'user_id']
            isOneToOne: false
            referencedRelation: 'wt_profiles'
            referencedColumns: ['id', 'user_id']
          },
        ]
      }
      wt_pantry_items: {
        Row: {
          barcode: string | null
          category: Database['public']['Enums']['wt_pantry_category']
          cost: number | null
          created_at: string
          expiry_date: string | null
          id: string
          is_available: boolean
          name: string
          profile_id: string
          quantity: number
          unit: string | null
          updated_at: string
          user_id: string
        }
        ComputedFields: never
        Insert: {
          barcode?: string | null
          category?: Database['public']['Enums']['wt_pantry_category']
          cost?: number | null
          created_at?: string
          expiry_date?: string | null
          id?: string
          is_available?: boolean
          name: string
          profile_id: string
          quantity?: number
          unit?: string | null
          updated_at?: string
          user_id?: string
        }
        Update: {
          barcode?: string | null
          category?: Database['public']['Enums']['wt_pantry_category']
          cost?: number | null
          created_at?: string
          expiry_date?: string | null
          id?: string
          is_available?: boolean
          name?: string
          profile_id?: string
          quantity?: number
          unit?: string | null
          updated_at?: string
          user_id?: string
        }
        Relationships: [
          {
            foreignKeyName: 'wt_pantry_items_profile_id_user_id_fkey'
            columns: ['profile_id', 'user_id']
            isOneToOne: false
            referencedRelation: 'wt_profiles'
            referencedColumns: ['id', 'user_id']
          },
        ]
      }
      wt_plan_items: {
        Row: {
          completed: boolean
          completed_at: string | null
          created_at: string
          id: string
          item_data: NonNullable<Json>
          item_type: string
          module: Database['public']['Enums']['wt_module']
          plan_id: string
          scheduled_date: string
          scheduled_time: string | null
          sort_order: number
          updated_at: string
          user_id: string
          user_override: boolean
        }
        ComputedFields: never
        Insert: {
          completed?: boolean
          completed_at?: string | null
          created_at?: string
          id?: string
          item_data?: NonNullable<Json>
          item_type: string
          module: Database['public']['Enums']['wt_module']
          plan_id: string
          scheduled_date: string
          scheduled_time?: string | null
          sort_order?: number
          updated_at?: string
          user_id?: string
          user_override?: boolean
        }
        Update: {
          completed?: boolean
          completed_at?: string | null
          created_at?: string
          id?: string
          item_data?: NonNullable<Json>
          item_type?: string
          module?: Database['public']['Enums']['wt_module']
          plan_id?: string
          scheduled_date?: string
          scheduled_time?: string | null
          sort_order?: number
          updated_at?: string
          user_id?: string
          user_override?: boolean
        }
        Relationships: [
          {
            foreignKeyName: 'wt_plan_items_plan_id_user_id_fkey'
            columns: ['plan_id', 'user_id']
            isOneToOne: false
            referencedRelation: 'wt_plans'
            referencedColumns: ['id', 'user_id']
          },
        ]
      }
      wt_plans: {
        Row: {
          ai_generated: boolean
          created_at: string
          end_date: string
          id: string
          plan_type: string
          profile_id: string
          start_date: string
          status: Database['public']['Enums']['wt_plan_status']
          title: string
          updated_at: string
          user_id: string
        }
        ComputedFields: never
        Insert: {
          ai_generated?: boolean
          created_at?: string
          end_date: string
          id?: string
          plan_type: string
          profile_id: string
          start_date: string
          status?: Database['public']['Enums']['wt_plan_status']
          title: string
          updated_at?: string
          user_id?: string
        }
        Update: {
          ai_generated?: boolean
          created_at?: string
          end_date?: string
          id?: string
          plan_type?: string
          profile_id?: string
          start_date?: string
          status?: Database['public']['Enums']['wt_plan_status']
          title?: string
          updated_at?: string
          user_id?: string
        }
        Relationships: [
          {
            foreignKeyName: 'wt_plans_profile_id_user_id_fkey'
            columns: ['profile_id', 'user_id']
            isOneToOne: false
            referencedRelation: 'wt_profiles'
            referencedColumns: ['id', 'user_id']
          },
        ]
      }
      wt_profile_modules: {
        Row: {
          created_at: string
          enabled: boolean
          id: string
          module_name: Database['public']['Enums']['wt_module']
          profile_id: string
          tile_config: NonNullable<Json>
          tile_order: number
          updated_at: string
          user_id: string
        }
        ComputedFields: never
        Insert: {
          created_at?: string
          enabled?: boolean
          id?: string
          module_name: Database['public']['Enums']['wt_module']
          profile_id: string
          tile_config?: NonNullable<Json>
          tile_order?: number
          updated_at?: string
          user_id?: string
        }
        Update: {
          created_at?: string
          enabled?: boolean
          id?: string
          module_name?: Database['public']['Enums']['wt_module']
          profile_id?: string
          tile_config?: NonNullable<Json>
          tile_order?: number
          updated_at?: string
          user_id?: string
        }
        Relationships: [
          {
            foreignKeyName: 'wt_profile_modules_profile_id_user_id_fkey'
            columns: ['profile_id', 'user_id']
            isOneToOne: false
            referencedRelation: 'wt_profiles'
            referencedColumns: ['id', 'user_id']
          },
        ]
      }
      wt_profiles: {
        Row: {
          activity_level: Database['public']['Enums']['wt_activity_level'] | null
          allergies: string[] | null
          avatar_url: string | null
          created_at: string
          date_of_birth: string | null
          dietary_restrictions: string[] | null
          display_name: string
          fitness_goals: string[] | null
          gender: Database['public']['Enums']['wt_gender'] | null
          height_cm: number | null
          id: string
          is_primary: boolean
          modules_provisioned_at: string | null
          preferences: NonNullable<Json>
          profile_type: Database['public']['Enums']['wt_profile_type']
          sleep_target_hours: number
          updated_at: string
          user_id: string
          weight_kg: number | null
        }
        ComputedFields: never
        Insert: {
          activity_level?: Database['public']['Enums']['wt_activity_level'] | null
          allergies?: string[] | null
          avatar_url?: string | null
          created_at?: string
          date_of_birth?: string | null
          dietary_restrictions?: string[] | null
          display_name: string
          fitness_goals?: string[] | null
          gender?: Database['public']['Enums']['wt_gender'] | null
          height_cm?: number | null
          id?: string
          is_primary?: boolean
          modules_provisioned_at?: string | null
          preferences?: NonNullable<Json>
          profile_type?: Database['public']['Enums']['wt_profile_type']
          sleep_target_hours?: number
          updated_at?: string
          user_id?: string
          weight_kg?: number | null
        }
        Update: {
          activity_level?: Database['public']['Enums']['wt_activity_level'] | null
          allergies?: string[] | null
          avatar_url?: string | null
          created_at?: string
          date_of_birth?: string | null
          dietary_restrictions?: string[] | null
          display_name?: string
          fitness_goals?: string[] | null
          gender?: Database['public']['Enums']['wt_gender'] | null
          height_cm?: number | null
          id?: string
          is_primary?: boolean
          modules_provisioned_at?: string | null
          preferences?: NonNullable<Json>
          profile_type?: Database['public']['Enums']['wt_profile_type']
          sleep_target_hours?: number
          updated_at?: string
          user_id?: string
          weight_kg?: number | null
        }
        Relationships: [
          {
            foreignKeyName: 'wt_profiles_user_id_fkey'
            columns: ['user_id']
            isOneToOne: false
            referencedRelation: 'wt_users'
            referencedColumns: ['id']
          },
        ]
      }
      wt_recipe_ingredients: {
        Row: {
          created_at: string
          id: string
          ingredient_name: string
          notes: string | null
          quantity: number | null
          recipe_id: string
          sort_order: number
          unit: string | null
          updated_at: string
          user_id: string
        }
        ComputedFields: never
        Insert: {
          created_at?: string
          id?: string
          ingredient_name: string
          notes?: string | null
          quantity?: number | null
          recipe_id: string
          sort_order?: number
          unit?: string | null
          updated_at?: string
          user_id?: string
        }
        Update: {
          created_at?: string
          id?: string
          ingredient_name?: string
          notes?: string | null
          quantity?: number | null
          recipe_id?: string
          sort_order?: number
          unit?: string | null
          updated_at?: string
          user_id?: string
        }
        Relationships: [
          {
            foreignKeyName: 'wt_recipe_ingredients_recipe_id_user_id_fkey'
            columns: ['recipe_id', 'user_id']
            isOneToOne: false
            referencedRelation: 'wt_recipes'
            referencedColumns: ['id', 'user_id']
          },
        ]
      }
      wt_recipe_steps: {
        Row: {
          created_at: string
          duration_minutes: number | null
          equipment: string[]
          id: string
          ingredient_refs: string[]
          instruction: string
          order_index: number
          recipe_id: string
          updated_at: string
          user_id: string
        }
        ComputedFields: never
        Insert: {
          created_at?: string
          duration_minutes?: number | null
          equipment?: string[]
          id?: string
          ingredient_refs?: string[]
          instruction: string
          order_index: number
          recipe_id: string
          updated_at?: string
          user_id?: string
        }
        Update: {
          created_at?: string
          duration_minutes?: number | null
          equipment?: string[]
          id?: string
          ingredient_refs?: string[]
          instruction?: string
          order_index?: number
          recipe_id?: string
          updated_at?: string
          user_id?: string
        }
        Relationships: [
          {
            foreignKeyName: 'wt_recipe_steps_recipe_id_user_id_fkey'
            columns: ['recipe_id', 'user_id']
            isOneToOne: false
            referencedRelation: 'wt_recipes'
            referencedColumns: ['id', 'user_id']
          },
        ]
      }
      wt_recipes: {
        Row: {
          cook_time_min: number | null
          created_at: string
          description: string | null
          difficulty: Database['public']['Enums']['wt_difficulty'] | null
          id: string
          image_url: string | null
          is_favorite: boolean
          nutrition_score: Database['public']['Enums']['wt_nutrition_grade'] | null
          prep_time_min: number | null
          profile_id: string
          rating: number | null
          servings: number
          source_type: Database['public']['Enums']['wt_recipe_source']
          source_url: string | null
          tags: string[]
          title: string
          updated_at: string
          user_id: string
        }
        ComputedFields: never
        Insert: {
          cook_time_min?: number | null
          created_at?: string
          description?: string | null
          difficulty?: Database['public']['Enums']['wt_difficulty'] | null
          id?: string
          image_url?: string | null
          is_favorite?: boolean
          nutrition_score?: Database['public']['Enums']['wt_nutrition_grade'] | null
          prep_time_min?: number | null
          profile_id: string
          rating?: number | null
          servings?: number
          source_type?: Database['public']['Enums']['wt_recipe_source']
          source_url?: string | null
          tags?: string[]
          title: string
          updated_at?: string
          user_id?: string
        }
        Update: {
          cook_time_min?: number | null
          created_at?: string
          description?: string | null
          difficulty?: Database['public']['Enums']['wt_difficulty'] | null
          id?: string
          image_url?: string | null
          is_favorite?: boolean
          nutrition_score?: Database['public']['Enums']['wt_nutrition_grade'] | null
          prep_time_min?: number | null
          profile_id?: string
          rating?: number | null
          servings?: number
          source_type?: Database['public']['Enums']['wt_recipe_source']
          source_url?: string | null
          tags?: string[]
          title?: string
          updated_at?: string
          user_id?: string
        }
        Relationships: [
          {
            foreignKeyName: 'wt_recipes_profile_id_user_id_fkey'
            columns: ['profile_id', 'user_id']
            isOneToOne: false
            referencedRelation: 'wt_profiles'
            referencedColumns: ['id', 'user_id']
          },
        ]
      }
      wt_recovery_scores: {
        Row: {
          created_at: string
          days_missing: number
          formula_version: string
          hr_component: number | null
          id: string
          load_component: number | null
          missing_inputs: string[]
          profile_id: string
          raw_data: unknown
          recovery_score: number | null
          score_date: string
          sleep_component: number | null
          status: Database['public']['Enums']['wt_score_status']
          stress_component: number | null
          updated_at: string
          user_id: string
          weights_used: NonNullable<Json>
        }
        ComputedFields: never
        Insert: {
          created_at?: string
          days_missing?: number
          formula_version: string
          hr_component?: number | null
          id?: string
          load_component?: number | null
          missing_inputs?: string[]
          profile_id: string
          raw_data?: unknown
          recovery_score?: number | null
          score_date: string
          sleep_component?: number | null
          status?: Database['public']['Enums']['wt_score_status']
          stress_component?: number | null
          updated_at?: string
          user_id: string
          weights_used?: NonNullable<Json>
        }
        Update: {
          created_at?: string
          days_missing?: number
          formula_version?: string
          hr_component?: number | null
          id?: string
          load_component?: number | null
          missing_inputs?: string[]
          profile_id?: string
          raw_data?: unknown
          recovery_score?: number | null
          score_date?: string
          sleep_component?: number | null
          status?: Database['public']['Enums']['wt_score_status']
          stress_component?: number | null
          updated_at?: string
          user_id?: string
          weights_used?: NonNullable<Json>
        }
        Relationships: [
          {
            foreignKeyName: 'wt_recovery_scores_profile_id_user_id_fkey'
            columns: ['profile_id', 'user_id']
            isOneToOne: false
            referencedRelation: 'wt_profiles'
            referencedColumns: ['id', 'user_id']
          },
        ]
      }
      wt_reminders: {
        Row: {
          created_at: string
          days_of_week: number[]
          id: string
          is_enabled: boolean
          module: Database['public']['Enums']['wt_module']
          profile_id: string
          remind_at: string
          title: string
          updated_at: string
          user_id: string
        }
        ComputedFields: never
        Insert: {
          created_at?: string
          days_of_week?: number[]
          id?: string
          is_enabled?: boolean
          module: Database['public']['Enums']['wt_module']
          profile_id: string
          remind_at: string
          title: string
          updated_at?: string
          user_id?: string
        }
        Update: {
          created_at?: string
          days_of_week?: number[]
          id?: string
          is_enabled?: boolean
          module?: Database['public']['Enums']['wt_module']
          profile_id?: string
          remind_at?: string
          title?: string
          updated_at?: string
          user_id?: string
        }
        Relationships: [
          {
            foreignKeyName: 'wt_reminders_profile_id_user_id_fkey'
            columns: ['profile_id', 'user_id']
            isOneToOne: false
            referencedRelation: 'wt_profiles'
            referencedColumns: ['id', 'user_id']
          },
        ]
      }
      wt_supplement_logs: {
        Row: {
          created_at: string
          dose_amount: number | null
          id: string
          notes: string | null
          supplement_id: string
          taken_at: string
          updated_at: string
          user_id: string
        }
        ComputedFields: never
        Insert: {
          created_at?: string
          dose_amount?: number | null
          id?: string
          notes?: string | null
          supplement_id: string
          taken_at?: string
          updated_at?: string
          user_id?: string
        }
        Update: {
          created_at?: string
          dose_amount?: number | null
          id?: string
          notes?: string | null
          supplement_id?: string
          taken_at?: string
          updated_at?: string
          user_id?: string
        }
        Relationships: [
          {
            foreignKeyName: 'wt_supplement_logs_supplement_id_user_id_fkey'
            columns: ['supplement_id', 'user_id']
            isOneToOne: false
            referencedRelation: 'wt_supplements'
            referencedColumns: ['id', 'user_id']
          },
        ]
      }
      wt_supplement_protocols: {
        Row: {
          created_at: string
          days_of_week: number[]
          end_date: string | null
          id: string
          instructions: string | null
          start_date: string
          supplement_id: string
          times_of_day: string[]
          updated_at: string
          user_id: string
        }
        ComputedFields: never
        Insert: {
          created_at?: string
          days_of_week?: number[]
          end_date?: string | null
          id?: string
          instructions?: string | null
          start_date?: string
          supplement_id: string
          times_of_day?: string[]
          updated_at?: string
          user_id?: string
        }
        Update: {
          created_at?: string
          days_of_week?: number[]
          end_date?: string | null
          id?: string
          instructions?: string | null
          start_date?: string
          supplement_id?: string
          times_of_day?: string[]
          updated_at?: string
          user_id?: string
        }
        Relationships: [
          {
            foreignKeyName: 'wt_supplement_protocols_supplement_id_user_id_fkey'
            columns: ['supplement_id', 'user_id']
            isOneToOne: false
            referencedRelation: 'wt_supplements'
            referencedColumns: ['id', 'user_id']
          },
        ]
      }
      wt_supplements: {
        Row: {
          brand: string | null
          created_at: string
          dose_amount: number | null
          dose_unit: string | null
          form: string | null
          id: string
          is_active: boolean
          name: string
          notes: string | null
          profile_id: string
          updated_at: string
          user_id: string
        }
        ComputedFields: never
        Insert: {
          brand?: string | null
          created_at?: string
          dose_amount?: number | null
          dose_unit?: string | null
          form?: string | null
          id?: string
          is_active?: boolean
          name: string
          notes?: string | null
          profile_id: string
          updated_at?: string
          user_id?: string
        }
        Update: {
          brand?: string | null
          created_at?: string
          dose_amount?: number | null
          dose_unit?: string | null
          form?: string | null
          id?: string
          is_active?: boolean
          name?: string
          notes?: string | null
          profile_id?: string
          updated_at?: string
          user_id?: string
        }
        Relationships: [
          {
            foreignKeyName: 'wt_supplements_profile_id_user_id_fkey'
            columns: ['profile_id', 'user_id']
            isOneToOne: false
            referencedRelation: 'wt_profiles'
            referencedColumns: ['id', 'user_id']
          },
        ]
      }
      wt_sync_mutations: {
        Row: {
          client_id: string
          created_at: string
          id: string
          mutation_id: string
          operation: Database['public']['Enums']['wt_sync_operation']
          outcome: NonNullable<Json>
          table_name: string
          updated_at: string
          user_id: string
        }
        ComputedFields: never
        Insert: {
          client_id: string
          created_at?: string
          id?: string
          mutation_id: string
          operation: Database['public']['Enums']['wt_sync_operation']
          outcome: NonNullable<Json>
          table_name: string
          updated_at?: string
          user_id: string
        }
        Update: {
          client_id?: string
          created_at?: string
          id?: string
          mutation_id?: string
          operation?: Database['public']['Enums']['wt_sync_operation']
          outcome?: NonNullable<Json>
          table_name?: string
          updated_at?: string
          user_id?: string
        }
        Relationships: [
          {
            foreignKeyName: 'wt_sync_mutations_user_id_fkey'
            columns: ['user_id']
            isOneToOne: false
            referencedRelation: 'wt_users'
            referencedColumns: ['id']
          },
        ]
      }
      wt_training_loads: {
        Row: {
          created_at: string
          duration_minutes: number
          id: string
          intensity_factor: number
          load_date: string
          load_type: Database['public']['Enums']['wt_load_type']
          metric_source: Database['public']['Enums']['wt_metric_source'] | null
          profile_id: string
          training_load: number
          updated_at: string
          user_id: string
          workout_id: string | null
        }
        ComputedFields: never
        Insert: {
          created_at?: string
          duration_minutes: number
          id?: string
          intensity_factor: number
          load_date: string
          load_type: Database['public']['Enums']['wt_load_type']
          metric_source?: Database['public']['Enums']['wt_metric_source'] | null
          profile_id: string
          training_load?: never
          updated_at?: string
          user_id: string
          workout_id?: string | null
        }
        Update: {
          created_at?: string
          duration_minutes?: number
          id?: string
          intensity_factor?: number
          load_date?: string
          load_type?: Database['public']['Enums']['wt_load_type']
          metric_source?: Database['public']['Enums']['wt_metric_source'] | null
          profile_id?: string
          training_load?: never
          updated_at?: string
          user_id?: string
          workout_id?: string | null
        }
        Relationships: [
          {
            foreignKeyName: 'wt_training_loads_profile_id_user_id_fkey'
            columns: ['profile_id', 'user_id']
            isOneToOne: false
            referencedRelation: 'wt_profiles'
            referencedColumns: ['id', 'user_id']
          },
          {
            foreignKeyName: 'wt_training_loads_workout_id_user_id_fkey'
            columns: ['workout_id', 'user_id']
            isOneToOne: false
            referencedRelation: 'wt_workouts'
            referencedColumns: ['id', 'user_id']
          },
        ]
      }
      wt_users: {
        Row: {
          avatar_url: string | null
          created_at: string
          display_name: string
          id: string
          onboarding_completed: boolean
          plan_tier: Database['public']['Enums']['wt_plan_tier']
          timezone: string
          updated_at: string
          user_id: string
        }
        ComputedFields: never
        Insert: {
          avatar_url?: string | null
          created_at?: string
          display_name: string
          id: string
          onboarding_completed?: boolean
          plan_tier?: Database['public']['Enums']['wt_plan_tier']
          timezone?: string
          updated_at?: string
          user_id?: never
        }
        Update: {
          avatar_url?: string | null
          created_at?: string
          display_name?: string
          id?: string
          onboarding_completed?: boolean
          plan_tier?: Database['public']['Enums']['wt_plan_tier']
          timezone?: string
          updated_at?: string
          user_id?: never
        }
        Relationships: []
      }
      wt_webhook_events: {
        Row: {
          attempts: number
          created_at: string
          event_type: string
          id: string
          idempotency_key: string
          last_error: string | null
          locked_at: string | null
          locked_by: string | null
          locked_until: string | null
          max_attempts: number
          next_retry_at: string
          payload: NonNullable<Json>
          processed_at: string | null
          provider_user_id: string | null
          received_at: string
          source: Database['public']['Enums']['wt_provider']
          status: Database['public']['Enums']['wt_event_status']
          updated_at: string
          user_id: string | null
        }
        ComputedFields: never
        Insert: {
          attempts?: number
          created_at?: string
          event_type: string
          id?: string
          idempotency_key: string
          last_error?: string | null
          locked_at?: string | null
          locked_by?: string | null
          locked_until?: string | null
          max_attempts?: number
          next_retry_at?: string
          payload: NonNullable<Json>
          processed_at?: string | null
          provider_user_id?: string | null
          received_at?: string
          source: Database['public']['Enums']['wt_provider']
          status?: Database['public']['Enums']['wt_event_status']
          updated_at?: string
          user_id?: string | null
        }
        Update: {
          attempts?: number
          created_at?: string
          event_type?: string
          id?: string
          idempotency_key?: string
          last_error?: string | null
          locked_at?: string | null
          locked_by?: string | null
          locked_until?: string | null
          max_attempts?: number
          next_retry_at?: string
          payload?: NonNullable<Json>
          processed_at?: string | null
          provider_user_id?: string | null
          received_at?: string
          source?: Database['public']['Enums']['wt_provider']
          status?: Database['public']['Enums']['wt_event_status']
          updated_at?: string
          user_id?: string | null
        }
        Relationships: [
          {
            foreignKeyName: 'wt_webhook_events_user_id_fkey'
            columns: ['user_id']
            isOneToOne: false
            referencedRelation: 'wt_users'
            referencedColumns: ['id']
          },
        ]
      }
      wt_workout_logs: {
        Row: {
          created_at: string
          distance_m: number | null
          duration_seconds: number | null
          exercise_id: string | null
          exercise_name: string
          id: string
          notes: string | null
          reps: number | null
          set_index: number
          updated_at: string
          user_id: string
          weight_kg: number | null
          workout_id: string
        }
        ComputedFields: never
        Insert: {
          created_at?: string
          distance_m?: number | null
          duration_seconds?: number | null
          exercise_id?: string | null
          exercise_name: string
          id?: string
          notes?: string | null
          reps?: number | null
          set_index?: number
          updated_at?: string
          user_id?: string
          weight_kg?: number | null
          workout_id: string
        }
        Update: {
          created_at?: string
          distance_m?: number | null
          duration_seconds?: number | null
          exercise_id?: string | null
          exercise_name?: string
          id?: string
          notes?: string | null
          reps?: number | null
          set_index?: number
          updated_at?: string
          user_id?: string
          weight_kg?: number | null
          workout_id?: string
        }
        Relationships: [
          {
            foreignKeyName: 'wt_workout_logs_exercise_id_fkey'
            columns: ['exercise_id']
            isOneToOne: false
            referencedRelation: 'wt_exercises'
            referencedColumns: ['id']
          },
          {
            foreignKeyName: 'wt_workout_logs_workout_id_user_id_fkey'
            columns: ['workout_id', 'user_id']
            isOneToOne: false
            referencedRelation: 'wt_workouts'
            referencedColumns: ['id', 'user_id']
          },
        ]
      }
      wt_workouts: {
        Row: {
          average_hr_bpm: number | null
          calories_kcal: number | null
          created_at: string
          distance_m: number | null
          duration_minutes: number
          elevation_gain_m: number | null
          id: string
          is_private: boolean
          max_hr_bpm: number | null
          name: string | null
          notes: string | null
          perceived_exertion: number | null
          profile_id: string
          reported_at: string | null
          source: Database['public']['Enums']['wt_workout_source']
          source_record_id: string | null
          start_time: string
          updated_at: string
          user_id: string
          workout_type: string
        }
        ComputedFields: never
        Insert: {
          average_hr_bpm?: number | null
          calories_kcal?: number | null
          created_at?: string
          distance_m?: number | null
          duration_minutes: number
          elevation_gain_m?: number | null
          id?: string
          is_private?: boolean
          max_hr_bpm?: number | null
          name?: string | null
          notes?: string | null
          perceived_exertion?: number | null
          profile_id: string
          reported_at?: string | null
          source?: Database['public']['Enums']['wt_workout_source']
          source_record_id?: string | null
          start_time: string
          updated_at?: string
          user_id?: string
          workout_type: string
        }
        Update: {
          average_hr_bpm?: number | null
          calories_kcal?: number | null
          created_at?: string
          distance_m?: number | null
          duration_minutes?: number
          elevation_gain_m?: number | null
          id?: string
          is_private?: boolean
          max_hr_bpm?: number | null
          name?: string | null
          notes?: string | null
          perceived_exertion?: number | null
          profile_id?: string
          reported_at?: string | null
          source?: Database['public']['Enums']['wt_workout_source']
          source_record_id?: string | null
          start_time?: string
          updated_at?: string
          user_id?: string
          workout_type?: string
        }
        Relationships: [
          {
            foreignKeyName: 'wt_workouts_profile_id_user_id_fkey'
            columns: ['profile_id', 'user_id']
            isOneToOne: false
            referencedRelation: 'wt_profiles'
            referencedColumns: ['id', 'user_id']
          },
        ]
      }
    }
    Views: {
      [_ in never]: never
    }
    Functions: {
      claim_webhook_events: { Args: { '': Json }; Returns: Json }
      create_oauth_state: { Args: { '': Json }; Returns: Json }
      discard_dead_letter: { Args: { event_id: string }; Returns: boolean }
      disconnect_provider: { Args: { '': Json }; Returns: Json }
      end_goal: { Args: { goal_id: string }; Returns: Json }
      explain_recovery: { Args: { profile_id: string; score_date?: string }; Returns: Json }
      export_my_data: { Args: Record<PropertyKey, never>; Returns: Json }
      find_connection: { Args: { '': Json }; Returns: Json }
      find_oauth_state: { Args: { '': Json }; Returns: Json }
      get_connection_token: { Args: { '': Json }; Returns: Json }
      ingest_health_metrics: { Args: { profile_id: string; records: Json }; Returns: Json }
      lease_token_refresh: { Args: { '': Json }; Returns: Json }
      list_dead_letters: {
        Args: { event_type?: string; max_rows?: number; source?: Database['public']['Enums']['wt_provider'] }
        Returns: {
          attempts: number
          event_type: string
          id: string
          last_error: string
          provider_user_id: string
          received_at: string
          source: Database['public']['Enums']['wt_provider']
          user_id: string
        }[]
      }
      log_error: { Args: { '': Json }; Returns: Json }
      my_daily_summary: { Args: { day?: string }; Returns: Json }
      prune_logs: { Args: { audit_days?: number; error_days?: number; portion?: number }; Returns: number }
      purge_webhook_events: { Args: { keep_days?: number; portion?: number }; Returns: number }
      queue_stats: { Args: { '': Json }; Returns: Json }
      receive_webhook_events: { Args: { '': Json }; Returns: Json }
      refresh_baselines: { Args: { max_baselines?: number }; Returns: number }
      refresh_daily_values: { Args: { max_profiles?: number }; Returns: number }
      replay_dead_letters: {
        Args: { event_id?: string; event_type?: string; source?: Database['public']['Enums']['wt_provider'] }
        Returns: number
      }
      rotate_token: { Args: { '': Json }; Returns: Json }
      run_health_jobs: { Args: Record<PropertyKey, never>; Returns: Json }
      run_performance_engine: { Args: { as_of?: string; user_id?: string }; Returns: Json }
      set_goal: {
        Args: {
          deadline?: string
          direction?: Database['public']['Enums']['wt_goal_direction']
          metric_type: Database['public']['Enums']['wt_metric_type']
          profile_id: string
          target_value: number
          unit?: string
        }
        Returns: Json
      }
      settle_webhook_events: { Args: { '': Json }; Returns: Json }
      show_dead_letter: { Args: { event_id: string }; Returns: Json }
      store_connection: { Args: { '': Json }; Returns: Json }
      store_connection_token: { Args: { '': Json }; Returns: Json }
      take_oauth_state: { Args: { '': Json }; Returns: Json }
      tokens_to_rotate: { Args: { '': Json }; Returns: Json }
      validate_pending_metrics: { Args: { max_rows?: number }; Returns: number }
      whoami: { Args: { '': Json }; Returns: Json }
    }
    Enums: {
      wt_activity_level: 'sedentary' | 'light' | 'moderate' | 'active' | 'very_active'
      wt_ai_memory_type: 'preference' | 'embedding' | 'pattern'
      wt_ai_outcome: 'success' | 'dry_run' | 'rejected' | 'unsafe' | 'rate_limited' | 'error'
      wt_calibration_status: 'pending' | 'in_progress' | 'complete'
      wt_difficulty: 'easy' | 'medium' | 'hard'
      wt_event_status: 'pending' | 'processing' | 'processed' | 'dead_letter'
      wt_exercise_kind: 'strength' | 'cardio' | 'mobility' | 'balance' | 'sport'
      wt_forecast_status:
        | 'on_track'
        | 'late'
        | 'reached'
        | 'not_converging'
        | 'beyond_horizon'
        | 'too_few_points'
        | 'calibrating'
      wt_gender: 'female' | 'male' | 'other' | 'undisclosed'
      wt_goal_direction: 'increase' | 'decrease'
      wt_load_type: 'workout' | 'activity' | 'active_minutes'
      wt_meal_type: 'breakfast' | 'lunch' | 'dinner' | 'snack'
      wt_metric_source: 'garmin' | 'strava' | 'healthkit' | 'health_connect' | 'manual'
      wt_metric_type:
        | 'sleep'
        | 'stress'
        | 'vo2max'
        | 'steps'
        | 'hr'
        | 'hrv'
        | 'calories'
        | 'distance'
        | 'active_minutes'
        | 'weight'
        | 'body_fat'
        | 'blood_pressure'
        | 'spo2'
        | 'respiratory_rate'
      wt_module:
        | 'meals'
        | 'nutrients'
        | 'supplements'
        | 'workouts'
        | 'health'
        | 'insights'
        | 'reminders'
        | 'plans'
        | 'pantry'
        | 'daily'
      wt_nutrition_grade: 'A' | 'B' | 'C' | 'D'
      wt_pantry_category: 'fridge' | 'cupboard' | 'freezer'
      wt_period: 'day' | 'week' | 'month'
      wt_plan_status: 'draft' | 'active' | 'completed' | 'archived'
      wt_plan_tier: 'free' | 'pro' | 'enterprise'
      wt_processing_status: 'pending' | 'processed' | 'error'
      wt_profile_type: 'parent' | 'dependent'
      wt_provider: 'garmin' | 'strava'
      wt_recipe_source: 'url' | 'ocr' | 'ai' | 'manual'
      wt_score_status: 'scored' | 'calibrating' | 'insufficient'
      wt_sync_operation: 'insert' | 'update' | 'upsert' | 'delete'
      wt_validation_status: 'raw' | 'validated' | 'rejected'
      wt_workout_source: 'manual' | 'plan' | 'garmin' | 'strava' | 'healthkit' | 'health_connect'
    }
    CompositeTypes: {
      [_ in never]: never
    }
  }
}

type DatabaseWithoutInternals = Omit<Database, '__InternalSupabase'>

type DefaultSchema = DatabaseWithoutInternals[Extract<keyof Database, 'public'>]

export type Tables<
  DefaultSchemaTableNameOrOptions extends
    | keyof (DefaultSchema['Tables'] & DefaultSchema['Views'])
    | { schema: keyof DatabaseWithoutInternals },
  TableName extends DefaultSchemaTableNameOrOptions extends {
    schema: keyof DatabaseWithoutInternals
  }
    ? keyof (DatabaseWithoutInternals[DefaultSchemaTableNameOrOptions['schema']]['Tables'] &
        DatabaseWithoutInternals[DefaultSchemaTableNameOrOptions['schema']]['Views'])
    : never = never,
> = DefaultSchemaTableNameOrOptions extends { schema: keyof DatabaseWithoutInternals }
  ? (DatabaseWithoutInternals[DefaultSchemaTableNameOrOptions['schema']]['Tables'] &
      DatabaseWithoutInternals[DefaultSchemaTableNameOrOptions['schema']]['Views'])[TableName] extends {
      Row: infer R
    }
    ? R
    : never
  : DefaultSchemaTableNameOrOptions extends keyof (DefaultSchema['Tables'] & DefaultSchema['Views'])
    ? (DefaultSchema['Tables'] & DefaultSchema['Views'])[DefaultSchemaTableNameOrOptions] extends {
        Row: infer R
      }
      ? R
      : never
    : never

export type TablesInsert<
  DefaultSchemaTableNameOrOptions extends
    | keyof DefaultSchema['Tables']
    | { schema: keyof DatabaseWithoutInternals },
  TableName extends DefaultSchemaTableNameOrOptions extends {
    schema: keyof DatabaseWithoutInternals
  }
    ? keyof DatabaseWithoutInternals[DefaultSchemaTableNameOrOptions['schema']]['Tables']
    : never = never,
> = DefaultSchemaTableNameOrOptions extends { schema: keyof DatabaseWithoutInternals }
  ? DatabaseWithoutInternals[DefaultSchemaTableNameOrOptions['schema']]['Tables'][TableName] extends {
      Insert: infer I
    }
    ? I
    : never
  : DefaultSchemaTableNameOrOptions extends keyof DefaultSchema['Tables']
    ? DefaultSchema['Tables'][DefaultSchemaTableNameOrOptions] extends {
        Insert: infer I
      }
      ? I
      : never
    : never

export type TablesUpdate<
  DefaultSchemaTableNameOrOptions extends
    | keyof DefaultSchema['Tables']
    | { schema: keyof DatabaseWithoutInternals },
  TableName extends DefaultSchemaTableNameOrOptions extends {
    schema: keyof DatabaseWithoutInternals
  }
    ? keyof DatabaseWithoutInternals[DefaultSchemaTableNameOrOptions['schema']]['Tables']
    : never = never,
> = DefaultSchemaTableNameOrOptions extends { schema: keyof DatabaseWithoutInternals }
  ? DatabaseWithoutInternals[DefaultSchemaTableNameOrOptions['schema']]['Tables'][TableName] extends {
      Update: infer U
    }
    ? U
    : never
  : DefaultSchemaTableNameOrOptions extends keyof DefaultSchema['Tables']
    ? DefaultSchema['Tables'][DefaultSchemaTableNameOrOptions] extends {
        Update: infer U
      }
      ? U
      : never
    : never

export type Enums<
  DefaultSchemaEnumNameOrOptions extends
    | keyof DefaultSchema['Enums']
    | { schema: keyof DatabaseWithoutInternals },
  EnumName extends DefaultSchemaEnumNameOrOptions extends {
    schema: keyof DatabaseWithoutInternals
  }
    ? keyof DatabaseWithoutInternals[DefaultSchemaEnumNameOrOptions['schema']]['Enums']
    : never = never,
> = DefaultSchemaEnumNameOrOptions extends { schema: keyof DatabaseWithoutInternals }
  ? DatabaseWithoutInternals[DefaultSchemaEnumNameOrOptions['schema']]['Enums'][EnumName]
  : DefaultSchemaEnumNameOrOptions extends keyof DefaultSchema['Enums']
    ? DefaultSchema['Enums'][DefaultSchemaEnumNameOrOptions]
    : never

export type CompositeTypes<
  PublicCompositeTypeNameOrOptions extends
    | keyof DefaultSchema['CompositeTypes']
    | { schema: keyof DatabaseWithoutInternals },
  CompositeTypeName extends PublicCompositeTypeNameOrOptions extends {
    schema: keyof DatabaseWithoutInternals
  }
    ? keyof DatabaseWithoutInternals[PublicCompositeTypeNameOrOptions['schema']]['CompositeTypes']
    : never = never,
> = PublicCompositeTypeNameOrOptions extends { schema: keyof DatabaseWithoutInternals }
  ? DatabaseWithoutInternals[PublicCompositeTypeNameOrOptions['schema']]['CompositeTypes'][CompositeTypeName]
  : PublicCompositeTypeNameOrOptions extends keyof DefaultSchema['CompositeTypes']
    ? DefaultSchema['CompositeTypes'][PublicCompositeTypeNameOrOptions]
    : never

export const Constants = {
  public: {
    Enums: {
      wt_activity_level: ['sedentary', 'light', 'moderate', 'active', 'very_active'],
      wt_ai_memory_type: ['preference', 'embedding', 'pattern'],
      wt_ai_outcome: ['success', 'dry_run', 'rejected', 'unsafe', 'rate_limited', 'error'],
      wt_calibration_status: ['pending', 'in_progress', 'complete'],
      wt_difficulty: ['easy', 'medium', 'hard'],
      wt_event_status: ['pending', 'processing', 'processed', 'dead_letter'],
      wt_exercise_kind: ['strength', 'cardio', 'mobility', 'balance', 'sport'],
      wt_forecast_status: [
        'on_track',
        'late',
        'reached',
        'not_converging',
        'beyond_horizon',
        'too_few_points',
        'calibrating',
      ],
      wt_gender: ['female', 'male', 'other', 'undisclosed'],
      wt_goal_direction: ['increase', 'decrease'],
      wt_load_type: ['workout', 'activity', 'active_minutes'],
      wt_meal_type: ['breakfast', 'lunch', 'dinner', 'snack'],
      wt_metric_source: ['garmin', 'strava', 'healthkit', 'health_connect', 'manual'],
      wt_metric_type: [
        'sleep',
        'stress',
        'vo2max',
        'steps',
        'hr',
        'hrv',
        'calories',
        'distance',
        'active_minutes',
        'weight',
        'body_fat',
        'blood_pressure',
        'spo2',
        'respiratory_rate',
      ],
      wt_module: [
        'meals',
        'nutrients',
        'supplements',
        'workouts',
        'health',
        'insights',
        'reminders',
        'plans',
        'pantry',
        'daily',
      ],
      wt_nutrition_grade: ['A', 'B', 'C', 'D'],
      wt_pantry_category: ['fridge', 'cupboard', 'freezer'],
      wt_period: ['day', 'week', 'month'],
      wt_plan_status: ['draft', 'active', 'completed', 'archived'],
      wt_plan_tier: ['free', 'pro', 'enterprise'],
      wt_processing_status: ['pending', 'processed', 'error'],
      wt_profile_type: ['parent', 'dependent'],
      wt_provider: ['garmin', 'strava'],
      wt_recipe_source: ['url', 'ocr', 'ai', 'manual'],
      wt_score_status: ['scored', 'calibrating', 'insufficient'],
      wt_sync_operation: ['insert', 'update', 'upsert', 'delete'],
      wt_validation_status: ['raw', 'validated', 'rejected'],
      wt_workout_source: ['manual', 'plan', 'garmin', 'strava', 'healthkit', 'health_connect'],
    },
  },
} as const
