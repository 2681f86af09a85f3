import { useEffect, useState } from "preact/hooks";
import { useText } from "../i18n/text";

/** Stays in the page, so that a screen reader hears it when the words appear. */
export function OfflineNotice() {
  const { t } = useText();
  const [online, setOnline] = useState(navigator.onLine);
  useEffect(() => {
    const follow = () => setOnline(navigator.onLine);
    addEventListener("online", follow);
    addEventListener("offline", follow);
    return () => {
      removeEventListener("online", follow);
      removeEventListener("offline", follow);
    };
  }, []);
  return (
    <div class={online ? "offline" : "offline offline-shown"} role="status">
      {!online && t.app.offline}
    </div>
  );
}
