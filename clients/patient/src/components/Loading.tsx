import { useText } from "../i18n/text";

export function Loading() {
  const { t } = useText();
  return (
    <p class="lead" role="status">
      {t.app.loading}
    </p>
  );
}
