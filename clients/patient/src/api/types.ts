import type { components } from "./schema";

/** The shapes of the API that the screens use, by their short names. */
type Schemas = components["schemas"];

export type AngleCurve = Schemas["AngleCurve"];
export type DayCompliance = Schemas["DayCompliance"];
export type JobView = Schemas["JobView"];
export type Me = Schemas["Me"];
export type MovementAnalysis = Schemas["Analysis"];
export type NewSession = Schemas["NewSession"];
export type PatientCompliance = Schemas["PatientCompliance"];
export type PlannedExercise = Schemas["PlannedExercise"];
export type SessionAnalysis = Schemas["SessionAnalysis"];
export type SessionChanges = Schemas["SessionChanges"];
export type SessionVideo = Schemas["SessionVideo"];
export type SessionView = Schemas["SessionView"];
export type Today = Schemas["Today"];
export type Tokens = Schemas["IssuedTokens"];
export type Exercise = Schemas["Exercise"];

/** A session, and the tag that an update of it must name. */
export interface SessionWithTag {
  session: SessionView;
  tag: string;
}
